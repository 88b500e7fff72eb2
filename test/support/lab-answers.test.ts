// The score is only worth something when a wrong answer cannot pass for a right one.
import { expect, test } from 'vitest';
import { answerTo, type Grade, grade } from '../e2e/lab/breaks/answer.ts';
import type { Answer } from '../e2e/lab/breaks/break.ts';
import { breaks } from '../e2e/lab/breaks/index.ts';

type Graded = Parameters<typeof grade>[0];
const report = (verdict: Graded['verdict'], causes: readonly string[] = [], latent: readonly string[] = []): Graded =>
  ({
    verdict,
    exitCode: verdict === 'healthy' ? 0 : verdict === 'broken' ? 3 : 5,
    causes: causes.map((code) => ({ code })),
    latent: latent.map((code) => ({ code })),
    sight: [],
  }) as unknown as Graded;
const cause: Answer = { kind: 'cause', code: 'NGX-01' };
const healthy: Answer = { kind: 'healthy', code: null };
const later: Answer = { kind: 'latent', code: 'NGR-02' };
const open: Answer = { kind: 'unexplained', code: null };

test.each<[string, Graded, Answer, Grade]>([
  ['the cause alone', report('broken', ['NGX-01']), cause, 'right'],
  ['the cause and one that is not there', report('broken', ['NGX-01', 'BE-01']), cause, 'wrong'],
  ['another cause', report('broken', ['BE-01']), cause, 'wrong'],
  ['no cause', report('unexplained'), cause, 'unsure'],
  ['healthy although it is broken', report('healthy'), cause, 'missed'],
  ['a trap that is healthy', report('healthy'), healthy, 'right'],
  ['a trap with a cause', report('broken', ['BE-01']), healthy, 'wrong'],
  ['a trap that it cannot decide', report('inconclusive'), healthy, 'unsure'],
  ['a latent one', report('healthy', [], ['NGR-02']), later, 'right'],
  ['a latent one that is not named', report('healthy'), later, 'unsure'],
  ['no rule knows it', report('unexplained'), open, 'right'],
  ['no rule knows it, and a cause is named', report('broken', ['BE-01']), open, 'wrong'],
  ['no rule knows it, and it is called healthy', report('healthy'), open, 'missed'],
])('%s', (_name, of, answer, expected) => {
  expect(grade(of, answer)).toBe(expected);
});

test('every fault of the lab has an answer', () => {
  for (const fault of breaks) {
    const { kind, code } = answerTo(fault);
    if (kind === 'cause' || kind === 'latent' || kind === 'sight') expect(code, fault.id).toMatch(/^[A-Z]{2,3}-\d\d$/);
  }
});
