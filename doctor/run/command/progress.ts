// What a waiting person is told on stderr: one line per host and per finished stage, no carriage returns.
import type { Clock } from '../../../agents/runtime/index.ts';
import type { RunEvent } from '../../engine/index.ts';

/** Quiet for this long in ms: a run that is over sooner needs no company. */
const QUIET_MS = 1_500;

/** A listener that writes progress; `stop` ends its timer. */
export function createProgress(
  write: (line: string) => void,
  clock: Clock,
): { listen(event: RunEvent): void; stop(): void } {
  const began = clock.monotonicMs();
  const open = new Map<string, string>();
  let told = false;
  const seconds = (): string => `${((clock.monotonicMs() - began) / 1000).toFixed(1)} s`;
  let timer = clock.after(QUIET_MS, tell);
  function tell(): void {
    told = true;
    const waiting = [...new Set(open.values())];
    if (waiting.length > 0)
      write(
        `${seconds()}  waiting for: ${waiting.slice(0, 3).join('; ')}${waiting.length > 3 ? `; ${waiting.length - 3} more` : ''}\n`,
      );
    timer = clock.after(QUIET_MS * 2, tell);
  }
  return {
    listen(event) {
      if (event.type === 'host.state') {
        if (event.state === 'connecting') open.set(event.host, `ssh to ${event.name}`);
        else open.delete(event.host);
        if (event.state === 'unreachable') write(`${seconds()}  ${event.name}: ${event.detail || 'cannot be seen'}\n`);
        else if (event.state === 'ready' && told) write(`${seconds()}  ${event.name}: ${event.detail}\n`);
      } else if (event.type === 'probe.start') open.set(`${event.probe} ${event.vantage}`, event.title);
      else if (event.type === 'probe.end') open.delete(`${event.probe} ${event.vantage}`);
    },
    stop: () => timer.cancel(),
  };
}
