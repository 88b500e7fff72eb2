// What a log says last, for people.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../agents/runtime/index.ts';
import { createChildren, lastWords } from './children.ts';

const directory = (): string => mkdtempSync(join(tmpdir(), 'viworks-children-'));

test('the last lines, of JSON ones the parts that people read', () => {
  const home = directory();
  const file = join(home, 'x.log');
  const line = { level: 'error', time: 't', msg: 'the program ends', code: 'VW_X', reason: 'no port', hint: 'free it' };
  writeFileSync(file, `${'old\n'.repeat(20)}plain\n{broken\n${JSON.stringify(line)}\n`);
  const words = lastWords(file).split('\n');
  expect(words).toHaveLength(8);
  expect(words.slice(-3)).toEqual([
    '    plain',
    '    {broken',
    '    error · the program ends · VW_X · no port · free it',
  ]);
  expect(lastWords(join(home, 'none'))).toBe('    (no log)');
  rmSync(home, { recursive: true });
});

test('children are ended in reverse order, and an end that nobody asked for is told', async () => {
  const home = directory();
  const owner = { name: 'up', pid: process.pid, startTime: '0', since: '' };
  const ledger = join(home, 'processes.json');
  const children = createChildren({ logs: home, ledger, owner, env: { PATH: '/usr/bin:/bin' }, clock: systemClock });
  const first = await children.start('first', [
    'sh',
    '-c',
    `trap 'echo first >> ${home}/order; exit' TERM; echo up; while :; do sleep 0.05; done`,
  ]);
  await children.start('second', [
    'sh',
    '-c',
    `trap 'echo second >> ${home}/order; exit' TERM; echo up; while :; do sleep 0.05; done`,
  ]);
  const third = await children.start('third', ['sh', '-c', 'echo last words >&2; exit 9']);
  await expect(third.unexpectedEnd).rejects.toMatchObject({
    code: 'VW_UP_CHILD_ENDED',
    message: expect.stringMatching(/third ended unexpectedly \(exit 9\)[\s\S]*last words/),
  });
  for (const name of ['first', 'second'])
    while (!lastWords(join(home, `${name}.log`)).includes('up')) await systemClock.sleep(5);
  expect(await children.endAll()).toEqual([]);
  expect(readFileSync(join(home, 'order'), 'utf8')).toBe('second\nfirst\n');
  expect(first.name).toBe('first');
  rmSync(home, { recursive: true });
});
