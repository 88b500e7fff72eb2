// Where no cause is proven: the words come from logs that were read, the next command is one that was run, and every verdict has evidence.
import { expect, test } from 'vitest';
import { uncharted } from '../../test/support/doctor/combined.ts';
import { healthy } from '../../test/support/doctor/healthy.ts';
import * as w from '../../test/support/doctor/world.ts';
import { renderPlain } from '../output/index.ts';

const open = () => {
  const world = uncharted[0]?.world();
  if (!world) throw new Error('no uncharted case');
  return world;
};
const tail = (...lines: readonly string[]) => ({
  source: 'journal' as const,
  sinceMs: 1,
  lines: lines.map((text, index) => ({ atMs: Date.UTC(2026, 10, 20, 3, 12, index), text })),
  truncated: false,
});

test('the newest three lines of the nearest program, JSON lines by their message', () => {
  const lines = ['one', 'two', 'node: --frob is not allowed in NODE_OPTIONS', '{"level":"error","msg":"program ends"}'];
  const report = open()
    .put('log.tail', w.gw, 'gateway', tail(...lines))
    .report();
  expect(report.lastWords.map(({ text }) => text)).toEqual(['two', lines[2], 'program ends']);
  expect(report.next).toMatchObject({ text: expect.stringMatching(/^read on in the log on /) });
  const plain = renderPlain(report);
  expect(plain).toContain('| 03:12:02Z node: --frob is not allowed in NODE_OPTIONS');
  expect(plain).toMatch(/\n {2}next {2}read on/);
});

test('a log that could not be read says nothing, and is what to read next', () => {
  const denied = { status: 'unknown', reason: 'no-permission', detail: '' } as const;
  const report = open().write('log.tail', w.gw, 'gateway', denied).report();
  expect(report.lastWords).toEqual([]);
  expect(report.next?.text).toMatch(/^read the log on /);
});

test('a named cause needs neither words nor a next step', () => {
  const report = healthy().report();
  expect([report.lastWords, report.next, report.lastContact]).toEqual([[], null, []]);
});

test('every verdict that was reached has its evidence', () => {
  for (const world of [healthy(), open()]) {
    const bare = world.report().verdicts.filter(({ state, evidence }) => /pass|fail|warn/.test(state) && !evidence);
    expect(bare.map(({ check }) => check)).toEqual([]);
  }
});
