// The canary is judged by its code and its bytes, from the very text of the event stream.
import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { judgeCanary } from './backend-tools.ts';

const bytes = randomBytes(65_536);
const hash = createHash('sha256').update(bytes).digest('hex');
const event = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const output = (stream: string, data: Buffer): string => event('output', { stream, data: data.toString('base64') });
const stream = (end: object | undefined, out = bytes, said = hash): string =>
  [
    event('command', { commandId: '1' }),
    output('out', out.subarray(0, 1000)),
    output('err', Buffer.from(`${said}\n`)),
    output('out', out.subarray(1000)),
    ': a comment\n\n',
    end === undefined ? '' : event('exit', { task: { end } }),
  ].join('');

test('a good canary', () => {
  expect(judgeCanary(stream({ outcome: 'exited', code: 0 }))).toBe('canary ok');
});

test.each<[string, string, RegExp]>([
  ['ended with another code', stream({ outcome: 'exited', code: 1 }), /ended with .*"code":1/],
  ['was refused', stream({ outcome: 'refused', refusal: 'policy' }), /refused/],
  ['did not end', stream(undefined), /did not end/],
  ['lost bytes', stream({ outcome: 'exited', code: 0 }, bytes.subarray(1)), /65535 bytes arrived changed/],
  ['changed bytes', stream({ outcome: 'exited', code: 0 }, randomBytes(65_536)), /arrived changed/],
  ['gave no hash', stream({ outcome: 'exited', code: 0 }, bytes, ''), /arrived changed/],
])('a canary that %s', (_name, text, message) => {
  expect(() => judgeCanary(text)).toThrow(message);
});
