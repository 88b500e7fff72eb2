import { expect, test } from 'vitest';
import { createFakeClock } from '../../test/support/fake-clock.ts';
import { createScope } from './scope.ts';

test('closes in reverse order, once, and collects every failure', async () => {
  const scope = createScope(createFakeClock());
  const closed: string[] = [];
  scope.add('first', () => void closed.push('first'));
  scope.add('second', () => {
    closed.push('second');
    throw new Error('second broke');
  });
  scope.add('third', async () => void closed.push('third'));
  expect(scope.pending()).toEqual(['first', 'second', 'third']);
  await expect(scope.close()).rejects.toMatchObject({ errors: [{ message: 'second broke' }] });
  await scope.close().catch(() => {});
  expect(closed).toEqual(['third', 'second', 'first']);
  expect(scope.pending()).toEqual([]);
});

test('an entry that hangs is given up after its deadline and named', async () => {
  const clock = createFakeClock();
  const scope = createScope(clock);
  let closed = false;
  scope.add('good', () => {
    closed = true;
  });
  scope.add('socket', () => new Promise<void>(() => {}), 200);
  const closing = expect(scope.close()).rejects.toMatchObject({
    errors: [{ message: 'closing socket took longer than 200 ms' }],
  });
  await clock.advance(200);
  await closing;
  expect(closed).toBe(true);
});
