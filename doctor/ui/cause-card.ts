// What is said about a cause, and the proof of it, as lines. Pure.
import type { CauseReport, EvidenceStep, Report, VerdictReport } from '../engine/index.ts';
import { diffLines, triedText } from '../output/remedy-text.ts';
import { breaksAt, count, notEnough } from '../output/text.ts';
import { type Glyphs, type Line, labelled, plainLetters, wrap } from './text.ts';

/** One thing that can be selected: a cause, or what is said where there is none. */
export interface Item {
  readonly id: string;
  readonly kind: 'cause' | 'later' | 'sight' | 'open' | 'healthy';
  readonly cause: CauseReport | null;
  readonly title: string;
  /** What it stands on, also where there is no cause. */
  readonly steps: readonly EvidenceStep[];
}

export function itemsOf(report: Report): readonly Item[] {
  const of = (kind: 'cause' | 'later' | 'sight', causes: readonly CauseReport[]): Item[] =>
    causes.map((cause, index) => ({
      id: `${kind} ${cause.code} ${index}`,
      kind,
      cause,
      title: cause.title,
      steps: cause.evidence,
    }));
  const items = [
    ...of('cause', report.causes),
    ...openItems(report),
    ...of('later', report.latent),
    ...of('sight', report.sight),
  ];
  if (items.length > 0 && report.verdict !== 'healthy') return items;
  const unknown = report.verdicts.filter(({ state }) => state === 'unknown').length;
  const title = `healthy: ${report.verdicts.length} checks${unknown > 0 ? `, ${unknown} of them unknown` : ''}`;
  const steps = stepsOf(report, ['pass', 'info', 'warn']);
  return report.verdict === 'healthy'
    ? [{ id: 'healthy', kind: 'healthy', cause: null, title, steps }, ...items]
    : items;
}

function openItems(report: Report): Item[] {
  if (report.causes.length > 0 || report.verdict === 'healthy') return [];
  const title = report.verdict === 'unexplained' ? breaksAt(report) : notEnough;
  const steps = stepsOf(report, ['fail', 'error', 'unknown']);
  return [{ id: 'open', kind: 'open', cause: null, title, steps }];
}

/** The evidence of checks that came to one of these, each claim with what was found. */
function stepsOf(report: Report, states: readonly VerdictReport['state'][]): readonly EvidenceStep[] {
  const chosen = report.verdicts.filter(({ state }) => states.includes(state));
  return chosen.flatMap(({ title, state, detail, evidence }) =>
    evidence ? [{ ...evidence, claim: `${state}: ${detail || title}` }] : [],
  );
}

/** The left side: sentence, confidence, why, what it is not, what to do. */
export function cardLines(item: Item, report: Report, of: { width: number; glyphs: Glyphs }): readonly Line[] {
  const { width, glyphs } = of;
  const clean = (text: string): string => plainLetters(text, glyphs);
  const prose = (label: string, text: string): readonly Line[] => labelled(label, clean(text), width);
  const { cause } = item;
  if (!cause)
    return [
      ...wrap(clean(item.title), width).map((text): Line => [{ text, tone: 'strong' }]),
      ...openLines(report, of),
    ];
  const outs = cause.ruledOut.map((out) => `${out.title} (${out.code})`);
  const chain = cause.chain.map((link) => `${link.code} ${link.title}`);
  return [
    ...wrap(clean(cause.title), width).map((text): Line => [{ text, tone: 'strong' }]),
    [
      {
        text: clean(`${cause.code} · ${cause.confidence} · ${cause.host}`),
        tone: item.kind === 'cause' ? 'bad' : 'warn',
      },
    ],
    [],
    ...prose('fix', cause.remedy.text),
    ...diffLines(cause.remedy).map((line): Line => [{ text: clean(line), ...diffTone(line) }]),
    ...cause.remedy.commands.flatMap((command) => commandLines(clean(command), width)),
    ...(cause.remedy.tried ? prose('test', clean(triedText(cause.remedy))) : []),
    [],
    ...cause.why.flatMap((why, index) => prose(index === 0 ? 'why' : '    ', why)),
    ...(outs.length > 0 ? prose('not', outs.join(' · ')) : []),
    ...(chain.length > 0 ? prose('then', chain.join(' · ')) : []),
    ...report.notes.flatMap((note) => prose('note', note)),
    ...(cause.explains.length > 0
      ? [
          [
            {
              text: `${glyphs.closed} explains ${count(cause.explains.length, 'symptom')}`,
              tone: 'dim' as const,
            },
          ],
        ]
      : []),
  ];
}

function diffTone(line: string): Pick<Line[number], 'tone'> {
  if (line.startsWith('+')) return { tone: 'good' };
  return { tone: line.startsWith('-') ? 'bad' : 'dim' };
}

/** A block of configuration keeps its indentation. */
function commandLines(command: string, width: number): readonly Line[] {
  const indent = ' '.repeat(5 + command.length - command.trimStart().length);
  return wrap(command, width - indent.length).map((text): Line => [{ text: `${indent}${text}`, tone: 'strong' }]);
}

function openLines(report: Report, of: { width: number; glyphs: Glyphs }): readonly Line[] {
  const say = (label: string, text: string): readonly Line[] =>
    labelled(label, plainLetters(text, of.glyphs), of.width);
  if (report.verdict === 'healthy')
    return report.advice.length > 0 ? say('', `${report.advice.length} pieces of advice: viworks doctor --all`) : [];
  return [
    [],
    ...report.unsure.flatMap((item) => say('open', `${item.codes.join(' or ')}; to tell: ${item.need.join(', ')}`)),
    ...report.unexplained.flatMap((item, index) => say(index === 0 ? 'bad' : '    ', foundAt(report, item))),
    ...report.lastWords.flatMap(({ part, host, text }, index) =>
      say(index === 0 ? 'said' : '    ', `${part} on ${host}: ${text}`),
    ),
    ...report.lastContact.flatMap((text) => say('last', text)),
    ...(report.next
      ? [...say('next', report.next.text), ...commandLines(plainLetters(report.next.command, of.glyphs), of.width)]
      : []),
    ...report.unknowns
      .slice(0, 8)
      .flatMap((item, index) =>
        say(
          index === 0 ? '?' : '    ',
          `${item.key} @ ${item.vantage}: ${item.reason}${item.detail ? `, ${item.detail}` : ''}`,
        ),
      ),
  ];
}

/** What was found where the check's title says what ought to be. */
function foundAt(report: Report, { check, gateway, title }: Report['unexplained'][number]): string {
  return report.verdicts.find((item) => item.check === check && item.gateway === gateway)?.detail || title;
}

/** The right side: each claim, what was seen, the command that shows it again. `full` also says who was ruled out and why. */
export function evidenceLines(item: Item, of: { width: number; glyphs: Glyphs; full: boolean }): readonly Line[] {
  const { cause } = item;
  const { width, glyphs } = of;
  const clean = (text: string): string => plainLetters(text, glyphs);
  const steps = item.steps.flatMap((step, index): readonly Line[] => [
    ...wrap(clean(step.claim), width - 3).map(
      (text, line): Line => [{ text: line === 0 ? `${index + 1} `.padEnd(3) : '   ', tone: 'dim' }, { text }],
    ),
    ...step.lines.slice(0, of.full ? 5 : 2).flatMap((text) =>
      wrap(clean(text), width - 5)
        .slice(0, of.full ? 9 : 1)
        .map((part): Line => [{ text: `   | ${part}`, tone: 'dim' }]),
    ),
    // A command is never wrapped by us: somebody will copy it.
    ...(of.full ? [[{ text: `   $ ${clean(step.command)}`, tone: 'strong' as const }]] : []),
  ]);
  if (!of.full || !cause) return steps;
  const outs = cause.ruledOut.flatMap((out) => labelled('not', clean(`${out.code} ${out.title}: ${out.why}`), width));
  const explained = cause.explains.flatMap((symptom, index) =>
    labelled(index === 0 ? 'so' : '    ', clean(symptom.title), width),
  );
  return [...steps, [], ...outs, [], ...explained];
}

/** What goes to the clipboard: no line art, no colour. */
export function copyText(item: Item, report: Report): string {
  const { cause } = item;
  if (!cause) return `${report.installation.name}: ${item.title}`;
  return [
    `${cause.code} (${cause.confidence}) on ${cause.host}: ${cause.title}`,
    ...cause.why.map((why) => `  why: ${why}`),
    `  fix: ${cause.remedy.text}`,
    ...diffLines(cause.remedy).map((line) => `    ${line}`),
    ...cause.remedy.commands.map((command) => `    ${command}`),
    ...(cause.remedy.tried ? [`  test: ${triedText(cause.remedy)}`] : []),
    ...[...new Set(cause.evidence.map((step) => step.command))].map((command) => `  see: ${command}`),
  ].join('\n');
}
