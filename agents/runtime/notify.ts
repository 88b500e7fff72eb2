// systemd readiness and watchdog over the descriptor that notify.pl left open: NotifyAccess=main is then enough.
import { writeSync } from 'node:fs';

/** Tells the service manager about this process; every call does nothing when there is none. */
export interface Notifier {
  ready(status?: string): void;
  stopping(): void;
  status(text: string): void;
  watchdog(): void;
  /** How often `watchdog` is due, in ms (half of WATCHDOG_USEC), or undefined. */
  readonly watchdogMs: number | undefined;
}

/** Reads VIWORKS_NOTIFY_FD and WATCHDOG_USEC. See sd_notify(3) for the datagrams. */
export function createNotifier(env: Readonly<Record<string, string | undefined>>): Notifier {
  const fd = Number(env.VIWORKS_NOTIFY_FD ?? '-1');
  const usec = Number(env.WATCHDOG_USEC ?? '0');
  const send = (text: string): void => {
    if (!(fd > 2)) return;
    try {
      writeSync(fd, text);
    } catch {
      // The manager went away or its queue is full: the next ping tells it, and nothing else here can.
    }
  };
  return {
    ready: (status) => send(status === undefined ? 'READY=1' : `READY=1\nSTATUS=${oneLine(status)}`),
    stopping: () => send('STOPPING=1'),
    status: (text) => send(`STATUS=${oneLine(text)}`),
    watchdog: () => send('WATCHDOG=1'),
    watchdogMs: fd > 2 && usec > 0 ? usec / 2000 : undefined,
  };
}

function oneLine(text: string): string {
  return text.replaceAll('\n', ' ');
}

const FIRST_LISTEN_FD = 3; // SD_LISTEN_FDS_START, sd_listen_fds(3)

/** Sockets handed over by systemd, by FileDescriptorName. Empty when LISTEN_PID is not this process. */
export function listenFds(env: Readonly<Record<string, string | undefined>>, pid: number): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  if (env.LISTEN_PID !== String(pid)) return found;
  const count = Number(env.LISTEN_FDS ?? '0');
  const names = (env.LISTEN_FDNAMES ?? '').split(':');
  for (let index = 0; index < count; index++) found.set(names[index] || `unknown-${index}`, FIRST_LISTEN_FD + index);
  return found;
}
