// The views beside the causes: all checks, and the keys. Pure.
import type { Report, VerdictReport } from '../engine/index.ts';
import { type Glyphs, type Line, type Piece, plainLetters } from './text.ts';

export type ViewName = 'causes' | 'evidence' | 'checks' | 'help';

const words: Readonly<Record<VerdictReport['state'], readonly [string, Piece['tone']]>> = {
  pass: ['ok', 'good'],
  info: ['info', 'dim'],
  warn: ['warn', 'warn'],
  fail: ['FAIL', 'bad'],
  skipped: ['skip', 'dim'],
  unknown: ['unknown', 'warn'],
  error: ['error', 'bad'],
};

/** What failed first, then what is unknown, then the rest in the order of the path. */
export function checkLines(report: Report, glyphs: Glyphs): readonly Line[] {
  const rank = (verdict: VerdictReport): number => ['fail', 'error', 'warn', 'unknown'].indexOf(verdict.state);
  const order = (verdict: VerdictReport): number => (rank(verdict) < 0 ? 9 : rank(verdict));
  const sorted = report.verdicts
    .map((verdict, index) => ({ verdict, index }))
    .sort((a, b) => order(a.verdict) - order(b.verdict) || a.index - b.index);
  return sorted.map(({ verdict }): Line => {
    const [word, tone] = words[verdict.state];
    const who = verdict.gateway ? ` [${verdict.gateway}]` : '';
    return [
      { text: word.padEnd(8), tone },
      { text: plainLetters(`${verdict.title}${who}`, glyphs) },
      { text: plainLetters(verdict.detail ? `  ${verdict.detail}` : '', glyphs), tone: 'dim' },
    ];
  });
}

const keys: readonly (readonly [string, string])[] = [
  ['up down  j k', 'the next cause; scroll where there is only one'],
  ['Enter  e', 'all evidence with the commands that show it again'],
  ['Tab', 'to the other pane'],
  ['PgUp PgDn', 'a page'],
  ['g G', 'top, end'],
  ['1 2', 'causes, checks'],
  ['r', 'run again'],
  ['y', 'copy the cause to the clipboard of the terminal (OSC 52)'],
  ['Esc', 'back'],
  ['Ctrl-C', 'stop and show what is known; again: leave'],
  ['q', 'leave; the short report stays on the terminal'],
];

export function helpLines(glyphs: Glyphs): readonly Line[] {
  return [
    ...keys.map(([key, does]): Line => [{ text: key.padEnd(16), tone: 'strong' }, { text: does }]),
    [],
    [
      {
        text: plainLetters('The same without the screen: viworks doctor --output plain | json | short', glyphs),
        tone: 'dim',
      },
    ],
    [{ text: 'What a code means: viworks doctor explain CODE', tone: 'dim' }],
  ];
}
