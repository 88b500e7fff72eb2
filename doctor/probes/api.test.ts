// How the canary's stream is judged: nothing but the exit code 0 and the very bytes is ok.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { judgeCanary, whereLost } from './api.ts';

const bytes = Buffer.from([0, 255, 10, 13, 128, 7]);
const hash = createHash('sha256').update(bytes).digest('hex');
const event = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const output = (stream: 'out' | 'err', data: Buffer): string =>
  event('output', { taskId: 'task-0001', stream, offset: 0, data: data.toString('base64') });
const task = (end: unknown): unknown => ({
  taskId: 'task-0001',
  commandId: 'command-0001',
  gatewayId: 'gw',
  verb: 'canary',
  args: {},
  state: 'finished',
  fence: 0,
  createdAt: 1,
  expiresAt: 2,
  out: { stored: 6 },
  err: { stored: 64 },
  createdBy: 'doctor',
  end,
});
const refused = {
  outcome: 'refused',
  refusal: 'start_failed',
  message: 'm',
  obstacle: { stage: 'exec', errno: 'ENOENT', place: '/x' },
};

test.each([
  [
    'a refusal of the task',
    200,
    event('exit', { task: task(refused) }),
    { outcome: 'refused', code: 'start_failed', obstacle: { stage: 'exec', errno: 'ENOENT' } },
  ],
  [
    'an expiry',
    200,
    event('exit', { task: task({ outcome: 'expired', message: 'late' }) }),
    { outcome: 'offline', code: 'expired' },
  ],
  ['no end in time', 200, output('out', bytes), { outcome: 'timeout' }],
  [
    'a role that may not',
    403,
    '{"code":"VW_X","message":"viewer","hint":"","retry":"never","detail":{}}',
    { outcome: 'forbidden', code: 'VW_X' },
  ],
] as const)('%s', (_, status, text, expected) => {
  expect(judgeCanary(status, text, 5)).toMatchObject({ status: 'known', value: expected });
});

test('a refusal in words that are not ours says nothing of the gateway', () => {
  expect(judgeCanary(404, '{"error":"not found"}', 5)).toMatchObject({ status: 'unknown', reason: 'unparsed' });
});

test('a refused token is no verdict on the gateway', () => {
  expect(judgeCanary(401, '', 5)).toMatchObject({ status: 'unknown', reason: 'token-refused' });
});

const exited = (code: number): string => {
  const total = { bytes: 6, sha256: hash };
  const rest = { durationMs: 3, leftovers: 0, killMode: 'none', escalated: false, oomKilled: false };
  return event('exit', { task: task({ outcome: 'exited', code, out: total, err: total, ...rest }) });
};

test.each([
  ['exit 0 and the very bytes', output('out', bytes) + output('err', Buffer.from(`${hash}\n`)) + exited(0), 'ok'],
  ['other bytes', output('out', Buffer.from('other')) + output('err', Buffer.from(hash)) + exited(0), 'mismatch'],
  ['no bytes', exited(0), 'mismatch'],
  ['another exit code', output('out', bytes) + output('err', Buffer.from(hash)) + exited(3), 'failed'],
])('%s', (_, text, outcome) => {
  expect(judgeCanary(200, text, 5)).toMatchObject({ status: 'known', value: { outcome } });
});

const state = (name: string): string => event('state', { taskId: 'task-0001', state: name });

test.each([
  ['sent, and never accepted', state('queued') + state('sent'), 'to-gateway'],
  ['accepted', state('sent') + state('accepted'), 'from-gateway'],
  ['running', state('sent') + state('running'), 'from-gateway'],
  ['still queued', state('queued'), null],
  ['nothing', '', null],
])('a task that was %s', (_, text, way) => {
  expect(whereLost(text)).toBe(way);
});
