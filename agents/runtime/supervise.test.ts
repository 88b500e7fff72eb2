import { expect, test } from 'vitest';
import { supervise } from './supervise.ts';

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

test('ends quietly when asked to', async () => {
  const controller = new AbortController();
  const running = supervise(
    [
      { name: 'a', run: untilAborted },
      { name: 'b', run: untilAborted },
    ],
    controller.signal,
  );
  controller.abort(new Error('asked'));
  await expect(running).resolves.toBeUndefined();
});

test('the first failure ends the others and is thrown', async () => {
  let otherEnded = false;
  const other = async (signal: AbortSignal): Promise<void> => {
    await untilAborted(signal).catch(() => {
      otherEnded = true;
    });
  };
  const failing = async (): Promise<void> => Promise.reject(new Error('accept loop broke'));
  await expect(
    supervise(
      [
        { name: 'other', run: other },
        { name: 'accept', run: failing },
      ],
      new AbortController().signal,
    ),
  ).rejects.toThrow('accept loop broke');
  expect(otherEnded).toBe(true);
});

test('a loop that ends without being asked is an error with its name', async () => {
  await expect(supervise([{ name: 'tail', run: async () => {} }], new AbortController().signal)).rejects.toMatchObject({
    code: 'VW_RUNTIME_LOOP_ENDED',
    message: 'the loop tail ended unexpectedly',
  });
});
