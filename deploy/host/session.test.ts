// The helper's conversation, with the harmless operations: answers in order, errors with their codes, bytes never mistaken.
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { systemClock } from '../../agents/runtime/index.ts';
import { decodeMessage, type HostMessage } from './frames.ts';
import { serveSession } from './session.ts';

const WORD = 'vw0123456789';

async function converse(input: string): Promise<{ code: number; messages: HostMessage[] }> {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  let text = '';
  stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  stdin.end(input);
  const code = await serveSession({ word: WORD, input: stdin, output: stdout, clock: systemClock });
  const messages = text.split('\n').flatMap((line) => decodeMessage(WORD, line) ?? []);
  return { code, messages };
}
const request = (id: number, op: string, args: object = {}, bytes = ''): string =>
  `${JSON.stringify({ id, op, args, bytes: bytes.length })}\n${bytes}`;

test('it says hello, answers in order and ends with its input', async () => {
  const { code, messages } = await converse(`${request(1, 'alive')}${request(2, 'alive')}`);
  expect(code).toBe(0);
  expect(messages).toMatchObject([
    { type: 'hello', uid: process.getuid?.() },
    { type: 'done', id: 1, value: null },
    { type: 'done', id: 2, value: null },
  ]);
});

test('facts are read without writing anything', async () => {
  const { messages } = await converse(request(1, 'facts'));
  expect(messages[1]).toMatchObject({
    type: 'done',
    value: { architecture: process.arch, freeBytes: expect.any(Number) },
  });
});

test('what it does not know or does not take is told, and it goes on', async () => {
  const input = `${request(1, 'nonsense', {}, '{"id":9,"op":"alive"}\n')}${request(2, 'validate', { id: '../x' })}${request(3, 'alive')}`;
  const { messages } = await converse(input);
  expect(messages.slice(1)).toMatchObject([
    { type: 'failed', id: 1, code: 'failed', message: 'this helper knows no operation nonsense' },
    { type: 'failed', id: 2, message: '../x is not the id of a release' },
    { type: 'done', id: 3 },
  ]);
});

test('names that would leave the directory of secrets are refused', async () => {
  const { messages } = await converse(request(1, 'put-runtime', { digest: '../../x' }, 'abc'));
  expect(messages[1]).toMatchObject({
    type: 'failed',
    code: 'VW_DEPLOY_ARTEFACT',
    detail: { what: '../../x is not a digest' },
  });
});
