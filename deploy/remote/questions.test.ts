// Questions come one at a time, also after one that failed, and only where somebody sits at a terminal.
import { expect, test } from 'vitest';
import { terminalQuestions } from './questions.ts';

test('no terminal, no questions', () => {
  expect(terminalQuestions({ stdin: {}, stderr: { isTTY: true } })).toBeUndefined();
});

test('one at a time, and none after the end', async () => {
  const questions = terminalQuestions({ stdin: { isTTY: true }, stderr: { isTTY: true } });
  if (!questions) throw new Error('a terminal has questions');
  const order: string[] = [];
  const ask = (name: string, fails: boolean): Promise<void> =>
    questions.alone(async () => {
      order.push(`${name} opens`);
      await Promise.resolve();
      order.push(`${name} closes`);
      if (fails) throw new Error(name);
    });
  const asked = [ask('be1', true), ask('gw1', false)];
  expect(questions.isAsking).toBe(true);
  await Promise.allSettled(asked);
  expect(order).toEqual(['be1 opens', 'be1 closes', 'gw1 opens', 'gw1 closes']);
  expect(questions.isAsking).toBe(false);
  questions.end();
  expect(questions.mayAsk).toBe(false);
});
