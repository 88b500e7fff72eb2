// Small tools for text outputs: colour that can be off, wrapping, lengths of time, sentences that they share. No output of its own.
import type { Report } from '../engine/index.ts';

export type Paint = (style: keyof typeof styles, text: string) => string;

/** The 16-colour palette only, so that light and dark themes both work. State is always said in words too. */
const styles = { bad: 31, good: 32, warn: 33, code: 36, dim: 2, strong: 1 } as const;

export function paintWith(colour: boolean): Paint {
  return colour ? (style, text) => `\u001b[${styles[style]}m${text}\u001b[0m` : (_style, text) => text;
}

/** Breaks at blanks; a word longer than the line stays whole, since a cut command cannot be pasted. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** Prose starts in the ninth column, behind its label. */
const column = 8;

/** A label in a column of its own, the text wrapped beside it. */
export function labelled(label: string, text: string, width: number): readonly string[] {
  const [first = '', ...rest] = wrap(text, Math.max(20, width - column));
  const head = label.length > 6 ? label : `  ${label}`;
  return [head.padEnd(column) + first, ...rest.map((line) => ' '.repeat(column) + line)];
}

/** Hosts that this run could not look at from inside, or not wholly. */
export function hiddenHosts(report: Report): Report['hosts'] {
  return report.hosts.filter((host) => host.state === 'not-seen' || host.state === 'cut');
}

export function notLookedAt(report: Report): string {
  const names = (state: string) => [
    ...new Set(report.hosts.filter((host) => host.state === state).map(({ name }) => name)),
  ];
  const [hidden, cut] = [names('not-seen'), names('cut')];
  return [
    ...(hidden.length > 0 ? [`not examined: ${hidden.join(', ')}`] : []),
    ...(cut.length > 0 ? [`examined only in part: ${cut.join(', ')}`] : []),
  ].join('; ');
}

/** The place of the break in words, where no cause says it. */
export function breaksAt(report: Report): string {
  if (report.firstBad === null) return 'something is wrong';
  return `breaks at "${report.firstBad}"${report.lastGood === null ? '' : `, last good "${report.lastGood}"`}`;
}

/** What is said where nothing breaks and not all was seen. */
export const notEnough = 'not enough could be seen to call it healthy or broken';

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
