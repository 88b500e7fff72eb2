// The report in at most ten lines of plain text, to be pasted into a chat: what, where, what to do, which run.
import { type Remedy, type Report, verdictWords } from '../engine/index.ts';
import { pathLines } from './path-line.ts';
import { firstPlace } from './remedy-text.ts';
import { breaksAt, hiddenHosts, notLookedAt, paintWith } from './text.ts';

/** A chat shows ten lines without folding. */
const maxLines = 10;

/** The head of a block of configuration says nothing without the block. */
function firstStep(remedy: Remedy): readonly string[] {
  const place = firstPlace(remedy);
  if (place !== null) return [remedy.commands[0]?.startsWith('viworks ') ? remedy.commands[0] : `edit ${place}`];
  return remedy.commands.slice(0, 1).filter((command) => !command.endsWith('{'));
}

/** The word of the verdict; hosts that were not examined stand beside it. */
function verdictText(report: Report): string {
  const word = verdictWords[report.verdict].toLowerCase();
  return hiddenHosts(report).length > 0 ? `${word} (${notLookedAt(report)})` : word;
}

export function renderShort(report: Report): string {
  const head = `viworks doctor ${report.version} · ${report.installation.name} · ${verdictText(report)} · exit ${report.exitCode} · run ${report.run}`;
  const causes = report.causes.flatMap((cause) => {
    const where = cause.host ? ` on ${cause.host}` : '';
    return [
      `${cause.code} (${cause.confidence})${where}: ${cause.title}`,
      `  fix: ${[cause.remedy.text, ...firstStep(cause.remedy)].join(' · ')}`,
    ];
  });
  const open = report.unsure.map((item) => `unsure: ${item.codes.join(', ')}; needs ${item.need.join(', ')}`);
  const hops = report.verdict === 'unexplained' ? [`${breaksAt(report)}; no cause can be proven`] : [];
  const later = report.latent.map((cause) => `later: ${cause.code} ${cause.title}`);
  const sight = report.sight.map((cause) => `not seen: ${cause.code} ${cause.title}`);
  const path = report.verdict === 'healthy' ? [] : [pathLines(report, paintWith(false), 400)[0] ?? ''];
  const lines = [head, ...causes, ...hops, ...open, ...path, ...later, ...sight];
  const kept =
    lines.length > maxLines
      ? [...lines.slice(0, maxLines - 1), `… ${lines.length - maxLines + 1} more lines: viworks doctor --output plain`]
      : lines;
  return `${kept.join('\n')}\n`;
}
