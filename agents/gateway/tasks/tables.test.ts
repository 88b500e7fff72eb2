// Policy, verbs, recovery, outcomes and the launcher's language by tables.
import { expect, test } from 'vitest';
import { BUILT_IN_VERBS } from '../../protocol/index.ts';
import {
  decodeReply,
  type Ending,
  type Evidence,
  encodeRequest,
  parseEvidence,
  parseList,
  parseRecord,
} from './launcher-protocol.ts';
import { resultOf, resultWithout } from './outcome.ts';
import { judge } from './policy.ts';
import { judgeTask } from './recovery.ts';
import { enabledVerbs, offeredVerbs, planVerb } from './verbs.ts';

test.each<[string[], string[], string, string, boolean]>([
  [['*'], [], 'exec', 'rm -rf /', true],
  [['*'], ['exec'], 'exec', 'ls', false],
  [['*'], ['exec:rm *'], 'exec', 'rm -rf /', false],
  [['*'], ['exec:rm *'], 'exec', 'ls', true],
  [['exec:/usr/bin/systemctl status *', 'get_*'], [], 'exec', '/usr/bin/systemctl status nginx', true],
  [['exec:/usr/bin/systemctl status *', 'get_*'], [], 'exec', '/usr/bin/systemctl stop nginx', false],
  [['exec:/usr/bin/systemctl status *', 'get_*'], [], 'get_system_health', '', true],
  [['exec:/usr/bin/systemctl status *', 'get_*'], [], 'shell', 'id', false],
  [[], [], 'canary', '', false],
  [['exec:a*b*c'], [], 'exec', 'aXbYbZc', true],
  [['exec:a*b*c'], [], 'exec', 'aXbYbZ', false],
  [['EXEC'], [], 'exec', '', false],
  [['exec:*:80'], [], 'exec', 'nc localhost:80', true],
  [['*'], ['shell:*\n*'], 'shell', 'one\ntwo', false],
])('allow %j deny %j: %s %j → %s', (allow, deny, verb, commandLine, allowed) => {
  expect(judge({ allow, deny }, { verb, commandLine }).allowed).toBe(allowed);
});

test('a pattern cannot hang the agent', () => {
  const before = performance.now();
  judge({ allow: [`exec:${'a*'.repeat(50)}b`], deny: [] }, { verb: 'exec', commandLine: 'a'.repeat(20_000) });
  expect(performance.now() - before).toBeLessThan(1_000);
});

const all = enabledVerbs(['core']);

test.each<[string, Record<string, unknown>, readonly string[] | string]>([
  ['exec', { argv: ['ls', '-l', 'a b'] }, ['ls', '-l', 'a b']],
  ['exec', { argv: [] }, 'invalid_args'],
  ['exec', { argv: 'ls' }, 'invalid_args'],
  ['exec', { argv: ['a\0b'] }, 'invalid_args'],
  ['exec', { argv: ['ls'], extra: 1 }, 'invalid_args'],
  ['shell', { script: 'echo $0' }, ['/bin/sh', '-c', 'echo $0', 'sh']],
  ['get_service_status', { services: ['a;reboot'] }, 'invalid_args'],
  ['dance', {}, 'unknown_verb'],
  ['__proto__', {}, 'unknown_verb'],
])('%s %j', (verb, args, expected) => {
  const planned = planVerb(all, verb, args);
  if (typeof expected === 'string') expect(planned).toMatchObject({ ok: false, code: expected });
  else expect(planned).toMatchObject({ ok: true, plan: { argv: expected } });
});

test('a script beyond what one argument may hold is put together again by the shell', () => {
  const planned = planVerb(all, 'shell', { script: 'x'.repeat(100_000) });
  if (!planned.ok) throw new Error(planned.message);
  expect(planned.plan.argv.slice(4).join('')).toBe('x'.repeat(100_000));
  expect(planned.plan.argv[2]).toBe(`eval "${'${1}${2}${3}${4}'}"`);
});

test('HELLO offers what the configuration enables, with hashes', () => {
  expect(Object.keys(offeredVerbs(all))).toEqual(Object.keys(BUILT_IN_VERBS));
  expect(Object.keys(offeredVerbs(enabledVerbs(['canary', 'nonsense'])))).toEqual(['canary']);
  expect(planVerb(enabledVerbs(['canary']), 'exec', { argv: ['ls'] })).toMatchObject({ code: 'unknown_verb' });
});

const ending: Ending = {
  reason: 'exited',
  code: 0,
  signal: undefined,
  leftovers: 0,
  killMode: 'none',
  escalated: false,
  oomKilled: false,
  durationMs: 1,
  out: 0,
  err: 0,
  survivors: [],
  lost: false,
  unwritten: undefined,
};
const running: Evidence = { state: 'running', elapsedMs: 1 };

test.each<[Parameters<typeof judgeTask>[0], Evidence, boolean, string]>([
  ['received', { state: 'not_started' }, true, 'not_started'],
  ['received', { state: 'not_started' }, false, 'not_started'],
  ['received', running, true, 'running'],
  ['starting', { state: 'not_started' }, true, 'not_started'],
  ['starting', { state: 'unknown' }, false, 'indeterminate'],
  ['starting', { state: 'exited', ending }, true, 'finished'],
  ['starting', { state: 'start_failed', stage: 'exec', errno: 'ENOENT' }, true, 'start_failed'],
  ['running', running, true, 'running'],
  ['running', { state: 'orphaned' }, true, 'running'],
  ['running', { state: 'exited', ending }, false, 'finished'],
  ['running', { state: 'unknown' }, true, 'indeterminate'],
  ['running', { state: 'not_started' }, true, 'indeterminate'],
  ['running', { state: 'indeterminate', message: 'm' }, false, 'indeterminate'],
  ['running', { state: 'refused', message: 'm' }, true, 'indeterminate'],
  ['exited', { state: 'unknown' }, false, 'report_again'],
  ['refused', running, true, 'report_again'],
  ['settled', { state: 'exited', ending }, true, 'forget'],
])('journal says %s, launcher says %j, same boot %s: %s', (state, evidence, sameBoot, kind) => {
  expect(judgeTask(state, evidence, sameBoot).kind).toBe(kind);
});

const totals = { out: { bytes: 3, sha256: 'a' }, err: { bytes: 0, sha256: 'b' } };
test.each<[Partial<Ending>, Record<string, unknown>]>([
  [{ code: 7 }, { outcome: 'exited', code: 7 }],
  [
    { code: undefined, signal: 9 },
    { outcome: 'signalled', signal: 'SIGKILL' },
  ],
  [
    { code: undefined, signal: 63 },
    { outcome: 'signalled', signal: 'SIG63' },
  ],
  [
    { reason: 'cancelled', code: 0 },
    { outcome: 'cancelled', code: 0 },
  ],
  [
    { reason: 'timed_out', code: undefined, signal: 15 },
    { outcome: 'timed_out', signal: 'SIGTERM' },
  ],
  [
    { reason: 'cancelled', survivors: [4, 5] },
    { outcome: 'kill_failed', message: 'could not be killed: 4, 5' },
  ],
  [{ lost: true, code: undefined }, { outcome: 'indeterminate' }],
  [{ lost: true, code: undefined, reason: 'cancelled' }, { outcome: 'cancelled' }],
  [{ out: 9 }, { outcome: 'exited', message: 'part of the output was lost with the spool' }],
])('ending %j → %j', (changes, expected) => {
  expect(resultOf({ ...ending, ...changes }, totals)).toMatchObject(expected);
});

test('a result without an ending says why', () => {
  expect(resultWithout('indeterminate', totals, 'x'.repeat(2_000))).toMatchObject({
    outcome: 'indeterminate',
    ...totals,
  });
});

test('requests are framed fields; a NUL is refused before it could cut one', () => {
  const bytes = encodeRequest({
    op: 'start',
    taskId: 'task-0001',
    argv: ['é', ''],
    env: { A: 'x=y\n' },
    timeoutMs: 1,
    graceMs: 2,
    stdin: Buffer.from([0, 255]),
  });
  const view = new DataView(bytes.buffer);
  expect(view.getUint32(0) + view.getUint32(4) + 8).toBe(bytes.length);
  expect(Buffer.from(bytes.subarray(8, 8 + view.getUint32(0))).toString()).toBe(
    'op=start\0task=task-0001\0argv=é\0argv=\0env=A=x=y\n\0timeout_ms=1\0grace_ms=2\0',
  );
  expect(() => encodeRequest({ op: 'status', taskId: 'a\0b' })).toThrow(RangeError);
});

function reply(text: string): Uint8Array {
  const head = Buffer.from(text);
  const bytes = Buffer.alloc(8 + head.length);
  bytes.writeUInt32BE(head.length, 0);
  head.copy(bytes, 8);
  return bytes;
}

test('replies are read when they are whole, and not before', () => {
  const bytes = reply('state=running\0elapsed_ms=12\0');
  for (let length = 0; length < bytes.length; length++) expect(decodeReply(bytes.subarray(0, length))).toBeUndefined();
  expect(parseEvidence(decodeReply(bytes) ?? [])).toEqual({ state: 'running', elapsedMs: 12 });
});

test.each<[string, Evidence]>([
  ['state=start_failed\0stage=exec\0errno=ENOENT\0', { state: 'start_failed', stage: 'exec', errno: 'ENOENT' }],
  [
    'state=exited\0reason=nonsense\0code=\0signal=9\0out=-5\0',
    { state: 'exited', ending: { ...ending, code: undefined, signal: 9, durationMs: 0 } },
  ],
  ['state=dancing\0', { state: 'refused', message: 'the launcher answered "dancing"' }],
  ['', { state: 'refused', message: 'the launcher answered "nothing"' }],
])('reply %j', (text, evidence) => {
  expect(parseEvidence(decodeReply(reply(text)) ?? [])).toEqual(evidence);
});

test('a list is cut at each task', () => {
  const list = parseList(
    decodeReply(reply('task=task-0001\0state=orphaned\0task=task-0002\0state=not_started\0')) ?? [],
  );
  expect([...list]).toEqual([
    ['task-0001', { state: 'orphaned' }],
    ['task-0002', { state: 'not_started' }],
  ]);
});

test('a record that is not whole is no record', () => {
  expect(parseRecord('')).toBeUndefined();
  expect(parseRecord('code=0\n')).toBeUndefined();
  expect(parseRecord('state=exited\nreason=exited\n')).toBeUndefined();
  expect(parseRecord('state=start_failed\nerrno=EACCES\n')).toBeUndefined();
  // The words of a reply, and those of launchers before that.
  for (const text of ['errno=EACCES\nstage=exec\nstate=start_failed\n', 'failed=exec\nerrno=EACCES\n'])
    expect(parseRecord(text)).toEqual({ state: 'start_failed', stage: 'exec', errno: 'EACCES' });
  expect(parseRecord('code=3\nout=1\nerr=0\nreason=exited\nstate=exited\n')).toMatchObject({ ending: { code: 3 } });
  expect(parseRecord('code=3\nout=1\nerr=0\nreason=exited\n')).toMatchObject({
    state: 'exited',
    ending: { code: 3, out: 1 },
  });
});
