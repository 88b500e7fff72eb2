// The report as plain text, the answer first. A projection of the Report and nothing else; colour only when asked for.
import { type CauseReport, type Report, verdictWords } from '../engine/index.ts';
import { directNote, pathLines } from './path-line.ts';
import { diffLines, triedText } from './remedy-text.ts';
import { breaksAt, count, hiddenHosts, labelled, notEnough, type Paint, paintWith, seconds, wrap } from './text.ts';
import { unknownLines } from './unknowns.ts';

export interface PlainOptions {
  readonly colour?: boolean;
  /** Columns to wrap prose at; commands are never wrapped. */
  readonly width?: number;
  /** Also all checks, all evidence and all advice. */
  readonly all?: boolean;
  /** Path of the recording, for the last line. */
  readonly recording?: string | undefined;
}

interface Style {
  readonly paint: Paint;
  readonly width: number;
  readonly all: boolean;
}

export function renderPlain(report: Report, options: PlainOptions = {}): string {
  const style: Style = {
    paint: paintWith(options.colour ?? false),
    width: options.width ?? 110,
    all: options.all ?? false,
  };
  const isOneLine = report.verdict === 'healthy' && !style.all;
  const lines = [
    ...(isOneLine ? [healthyLine(report, style)] : [heading(report, style), '', ...answer(report, style)]),
    ...report.latent.flatMap((cause) => aside('LATER', cause, style)),
    ...report.sight.flatMap((cause) => aside('SIGHT', cause, style)),
    ...blind(report, style),
    ...unknowns(report, style),
    ...(style.all ? everything(report, style) : []),
    ...(isOneLine ? [] : ['', footer(report, options.recording)]),
  ];
  return `${lines.join('\n')}\n`;
}

function heading(report: Report, { width }: Style): string {
  const hosts = report.hosts.map((host) => {
    const part = host.host === 'be' ? 'backend' : 'gateway';
    const seen =
      host.state === 'not-seen'
        ? 'not seen'
        : host.state === 'cut'
          ? 'seen in part'
          : host.milliseconds === null
            ? host.detail
            : `${host.detail} ${Math.round(host.milliseconds)} ms`;
    const name = host.host === 'be' ? host.name : host.host.slice(3);
    return `${part} ${name} (${seen})`;
  });
  const left = [report.installation.name, ...hosts].join(' · ');
  const right = `${seconds(report.milliseconds)}, ${count(report.probes, 'probe')}`;
  return left.length + right.length + 2 <= width ? left + right.padStart(width - left.length) : `${left} · ${right}`;
}

/** Healthy is one line; only what comes LATER is added to it. */
function healthyLine(report: Report, { paint, all }: Style): string {
  const advice = report.advice.length;
  const names = [
    report.installation.name,
    ...report.hosts.map((host) => (host.host === 'be' ? host.name : host.host.slice(3))),
  ];
  const unseen = report.verdicts.filter((item) => item.state === 'unknown').length;
  const checks = count(report.verdicts.length, 'check');
  const parts = [names.join(', '), unseen > 0 ? `${checks}, ${unseen} of them unknown` : checks];
  const untried = report.verdicts.find((item) => item.check === 'agents.canary.returns' && item.state === 'skipped');
  const tokenless = report.unknowns.some((item) => item.key === 'canary' && item.reason === 'no-token');
  if (untried && tokenless) parts.push(`no canary command: ${untried.detail}`);
  if (advice > 0) parts.push(`${count(advice, 'suggestion')}${all ? '' : ' (viworks doctor --all)'}`);
  return [paint('good', 'healthy'), ...parts, seconds(report.milliseconds)].join(' · ');
}

function answer(report: Report, style: Style): readonly string[] {
  const { paint } = style;
  if (report.verdict === 'healthy') return [healthyLine(report, style), ...path(report, style)];
  const [only] = report.causes;
  if (report.causes.length === 1 && only)
    return [
      title(verdictWords.broken, only, style),
      ...path(report, style),
      ...details(only, style),
      ...notes(report, style),
    ];
  if (report.causes.length > 1) {
    return [
      `${paint('bad', verdictWords.broken)}  ${report.causes.length} causes; fix them in this order`,
      ...path(report, style),
      ...notes(report, style),
      ...report.causes.flatMap((cause, index) => [
        '',
        title(`  ${index + 1}   `, cause, style),
        ...details(cause, style),
      ]),
    ];
  }
  return [...unsure(report, style), ...path(report, style), ...openQuestions(report, style)];
}

function title(word: string, cause: CauseReport, { paint, width }: Style): string {
  const right = `${cause.code}, ${cause.confidence}`;
  const left = `${word.padEnd(8)}${cause.title}`;
  const gap = Math.max(2, width - left.length - right.length);
  return `${paint('bad', word.padEnd(8))}${paint('strong', cause.title)}${' '.repeat(gap)}${paint('code', right)}`;
}

function path(report: Report, { paint, width }: Style): readonly string[] {
  const note = directNote(report);
  const lines = pathLines(report, paint, width - 8);
  return [
    ...lines.map((line, index) => `  ${index === 0 ? 'path' : '    '}  ${line}`),
    ...(note ? labelled('', note, width) : []),
  ];
}

/** How much of the evidence is shown before --all: enough to believe it. */
const shownSteps = 4;

function details(cause: CauseReport, { paint, width, all }: Style): readonly string[] {
  const lines = cause.why.flatMap((claim, index) => labelled(index === 0 ? 'why' : '', claim, width));
  const steps = all ? cause.evidence : cause.evidence.slice(0, shownSteps);
  const commands = new Map(steps.map((step) => [step.command, step]));
  let first = true;
  for (const step of commands.values()) {
    lines.push(`  ${first ? 'see ' : '    '}  ${paint('dim', `${step.command}`)}`);
    for (const excerpt of all ? step.lines : nearest(step.lines, step.claim))
      lines.push(`          ${paint('dim', `| ${excerpt}`)}`);
    first = false;
  }
  if (cause.ruledOut.length > 0) {
    const outs = cause.ruledOut.map((out) => `${out.title} (${out.code}): ${out.why}`.replace(/ \([a-z]+\)/, ''));
    lines.push(...outs.flatMap((out, index) => labelled(index === 0 ? 'not' : '', out, width)));
  }
  lines.push(...labelled('fix', cause.remedy.text, width));
  for (const line of diffLines(cause.remedy)) lines.push(`          ${line}`);
  for (const command of cause.remedy.commands) lines.push(`          ${paint('strong', command)}`);
  if (cause.remedy.tried) lines.push(...labelled('test', triedText(cause.remedy), width));
  if (cause.chain.length > 0)
    lines.push(...labelled('then', cause.chain.map((link) => `${link.code} ${link.title}`).join(' · '), width));
  if (cause.explains.length > 0) {
    const text = cause.explains.map((item) => item.title).join(', ');
    const [first = '', ...rest] = wrap(`explains ${count(cause.explains.length, 'symptom')}: ${text}`, width - 2);
    lines.push(`  ${first}`, ...rest.map((line) => `          ${line}`));
  }
  return lines;
}

/** The two lines that share most with the claim: a table of listeners has many rows, and one or two matter. */
function nearest(lines: readonly string[], claim: string): readonly string[] {
  const words = new Set(claim.match(/[\w./-]{3,}/g) ?? []);
  const score = (line: string) => (line.match(/[\w./-]{3,}|\d+/g) ?? []).filter((word) => words.has(word)).length;
  const best = [...lines].sort((a, b) => score(b) - score(a)).slice(0, 2);
  return lines.filter((line) => best.includes(line));
}

function notes(report: Report, { width }: Style): readonly string[] {
  return report.notes.flatMap((note) => labelled('note', note, width));
}

function unsure(report: Report, { paint }: Style): readonly string[] {
  const word = verdictWords[report.verdict];
  if (report.verdict !== 'unexplained') return [`${paint('warn', word)}  ${notEnough}`];
  return [`${paint('bad', word)}  ${breaksAt(report)}; no cause can be proven`];
}

function openQuestions(report: Report, { width }: Style): readonly string[] {
  const open = report.unsure.map(
    ({ codes, need }) =>
      `${codes.length > 1 ? `one of ${codes.join(', ')}` : `perhaps ${codes[0]}`}; to tell: ${need.join(', ')}`,
  );
  const findings = report.unexplained.map(({ check, gateway, title }) => {
    const found = report.verdicts.find((item) => item.check === check && (item.gateway ?? '') === gateway);
    return found?.detail ? `${title}: ${found.detail}` : title;
  });
  return [
    ...open.flatMap((text, index) => labelled(index === 0 ? 'open' : '', text, width)),
    ...(findings.length > 0 ? labelled('fails', findings.join(' · '), width) : []),
    ...(findings.length === 0 ? missing(report, width) : []),
    ...lastWordLines(report, width),
    ...report.lastContact.flatMap((text) => labelled('last', text, width)),
    ...(report.next ? [...labelled('next', report.next.text, width), `          ${report.next.command}`] : []),
    ...notes(report, { paint: paintWith(false), width, all: false }),
  ];
}

/** What the programs at the broken hop said last, each in its own words. */
function lastWordLines(report: Report, width: number): readonly string[] {
  let before = '';
  return report.lastWords.flatMap(({ part, host, atMs, text }) => {
    const speaker = `${speakerNames[part] ?? part} on ${host}, newest last:`;
    const head = speaker === before ? [] : labelled(before === '' ? 'said' : '', speaker, width);
    before = speaker;
    return [...head, `          | ${atMs === null ? '' : `${new Date(atMs).toISOString().slice(11, 19)}Z `}${text}`];
  });
}

const speakerNames: Readonly<Record<string, string>> = {
  'nginx-error': 'error log of nginx',
  nginx: 'journal of nginx',
  backend: 'backend',
  gateway: 'gateway agent',
  launcher: 'launcher',
};

/** The checks without which nothing can be called healthy, and what they say. */
function missing(report: Report, width: number): readonly string[] {
  const open = report.verdicts.filter((item) => item.state === 'unknown' || item.state === 'error');
  const texts = open.slice(0, 4).map((item) => `${item.title}${item.detail ? ` (${item.detail})` : ''}`);
  return texts.length > 0 ? labelled('open', texts.join(' · '), width) : [];
}

/** Hosts that could not be looked at, and why; a cause of SIGHT says the same with its fix. */
function blind(report: Report, { width }: Style): readonly string[] {
  const told = new Set(report.sight.map((cause) => cause.host));
  const hosts = hiddenHosts(report).filter((host) => !told.has(host.name));
  return hosts.flatMap((host) => ['', ...labelled('UNSEEN ', `${host.name}: ${host.detail}`, width)]);
}

function aside(word: string, cause: CauseReport, { paint, width }: Style): readonly string[] {
  const fix = [cause.remedy.text, ...cause.remedy.commands.slice(0, 1)].join(': ');
  return ['', title(word, cause, { paint, width, all: false }), ...labelled('fix', fix, width)];
}

function unknowns(report: Report, { width, all }: Style): readonly string[] {
  return report.verdict === 'healthy' && !all ? [] : unknownLines(report, { width, all });
}

function everything(report: Report, { width }: Style): readonly string[] {
  const checks = report.verdicts.map(
    (item) =>
      `  ${item.state.padEnd(8)}${item.check}${item.gateway ? ` [${item.gateway}]` : ''}  ${item.detail || item.title}`,
  );
  const advice = report.advice.flatMap((item) =>
    labelled(item.rule, `${item.text}${item.place ? ` (${item.place})` : ''}`, width),
  );
  return ['', 'CHECKS', ...checks, ...(advice.length > 0 ? ['', 'ADVICE', ...advice] : [])];
}

function footer(report: Report, recording: string | undefined): string {
  return [
    `exit ${report.exitCode}`,
    ...(recording ? [`recording ${recording}`, 'viworks doctor --replay FILE'] : []),
  ].join(' · ');
}
