// What health and log say about launcher and spool while the answers change: each change once, whatever the number of answers.
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { createFakeClock } from '../../../test/support/fake-clock.ts';
import { createLogger } from '../../runtime/index.ts';
import { gatewayErrors } from '../errors.ts';
import type { Launcher } from './launcher-client.ts';
import { createLauncherWatch, spoolFailure } from './launcher-watch.ts';

const { signal } = new AbortController();
const ABSENT = gatewayErrors.create('VW_GATEWAY_LAUNCHER_ABSENT', { socket: '/s', reason: 'ENOENT' });

test('a launcher that goes and a spool that fills up are told once, in health with the reason, and so is their return', async () => {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().trim().split('\n')) lines.push((JSON.parse(line) as { msg: string }).msg);
      done();
    },
  });
  const clock = createFakeClock();
  let spool: string | undefined;
  // The one call that is of interest here; any other would be a bug, and would say so by failing.
  const launcher = {
    ping: () =>
      spool === undefined
        ? Promise.reject(ABSENT)
        : Promise.resolve({ cgroup: 'none', subreaper: true, bootId: 'b', tasksDir: '/t', spool }),
  } as unknown as Launcher;
  const logger = createLogger({ level: 'debug', stream });
  const watch = createLauncherWatch({ launcher, clock, logger, tasksDir: '/t' });
  const started = clock.now();
  const ask = async (answer: string | undefined): Promise<void> => {
    spool = answer;
    await clock.advance(5_000);
    await watch.ping(signal).catch((error: unknown) => expect(error).toBe(ABSENT));
  };

  await ask(undefined); // not there yet: whoever waits for it says so
  expect(lines).toEqual([]);
  expect(watch.launcher).toMatchObject({ up: false, since: started });
  await ask('');
  expect(watch.launcher).toEqual({ up: true, since: started + 10_000, message: '' });
  expect(watch.spool).toEqual({ up: true, since: started, message: '' });

  for (const errno of ['ENOSPC', 'ENOSPC', 'EROFS']) await ask(errno);
  expect(lines.splice(0)).toEqual(['spool cannot be written']);
  expect(watch.spool).toMatchObject({ up: false, since: started + 15_000 });
  expect(watch.spool.message).toContain('/t: EROFS: read-only file system');

  for (const answer of [undefined, undefined]) await ask(answer);
  expect(lines.splice(0)).toEqual(['launcher does not answer']);
  expect(watch.launcher.message).toContain('/s');
  expect(watch.spool.up).toBe(false); // nothing else was heard since

  for (const answer of ['', '']) await ask(answer);
  expect(lines.splice(0)).toEqual(['launcher answers again', 'spool can be written again']);
  expect(watch.spool).toEqual({ up: true, since: started + 40_000, message: '' });
});

test('an error number that this Node has no words for is told as it is', () => {
  expect(spoolFailure('/t', 'ENOSPC').message).toMatch(/\/t: ENOSPC: no space left on device$/);
  expect(spoolFailure('/t', 'EWHATEVER').message).toMatch(/\/t: EWHATEVER$/);
});
