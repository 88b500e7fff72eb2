// The gate of a run: whatever hosts say passes it without secrets, and nothing that the catalogue's causes need is lost on the way.
import { expect, test } from 'vitest';
import { systemClock } from '../../../agents/runtime/index.ts';
import { cases } from '../../../test/support/doctor/index.ts';
import { secretShapes, traces } from '../../../test/support/secrets.ts';
import { createFactStore, type Fact, fact, known, type RunEvent } from '../../engine/index.ts';
import { createRunLog } from './run-log.ts';

function logging() {
  const events: RunEvent[] = [];
  const { signal } = new AbortController();
  const log = createRunLog({
    clock: systemClock,
    store: createFactStore(),
    signal,
    listeners: [(event) => events.push(event)],
  });
  return { log, events };
}

const evidence = { host: 'be1', atMs: 0, command: 'curl', lines: [] as readonly string[], sha256: '' };

test('secrets in bodies, headers, logs, banners and errors of a host come out of it in no event', async () => {
  const { log, events } = logging();
  for (const [name, text] of secretShapes()) {
    const lines = text.split('\n').map((line) => ({ atMs: null, text: line }));
    const whole = [{ atMs: null, text }, ...(text.includes('PRIVATE') || lines.length > 1 ? [] : lines)];
    log.facts([
      fact({
        key: 'log.tail',
        vantage: 'be',
        subject: name,
        probe: 'x',
        reading: known({ source: 'journal', sinceMs: null, lines: whole, truncated: false }),
        evidence: { ...evidence, lines: [text] },
      }),
    ]);
    const title = { probe: 'x', vantage: 'be' as const, title: 'x' };
    log.section({ ...title, raw: text, rc: 0, milliseconds: 1 });
    await log.probe(title, () => Promise.reject(new Error(`the host said: ${text}`)));
    log.emit({ type: 'host.state', host: 'be', name: 'be1', state: 'unreachable', detail: text, atMs: 0 });
  }
  const said = JSON.stringify(events);
  for (const trace of traces()) expect(said).not.toContain(trace);
});

test('every fact of every case is the same behind it', () => {
  for (const item of cases) {
    const { log, events } = logging();
    const facts = JSON.parse(JSON.stringify(item.world().facts())) as readonly Fact[];
    log.facts(facts);
    expect(events.map((event) => (event.type === 'fact' ? event.fact : null))).toEqual(facts);
  }
});
