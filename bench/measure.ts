// Samples → figures. Figures are ratios of medians measured in one run; raw numbers are kept beside them.

/** One measured side of a row: `ours`, a `peer` or a `floor`. Samples in `unit`. */
export interface Side {
  readonly name: string;
  readonly unit: string;
  readonly samples: readonly number[];
}

/** One row of the table. `skipped` says why there are no sides. */
export interface Row {
  readonly id: string;
  readonly work: string;
  /** What performance asks for, in words. */
  readonly aim: string;
  readonly ours: Side | undefined;
  readonly others: readonly Side[];
  readonly skipped: string | undefined;
  /** Other figures worth keeping (p99, MB/s), in words. */
  readonly notes: readonly string[];
}

/** The p-th quantile (0–1) by nearest rank. NaN without samples. */
export function quantile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN;
}

/** The median. */
export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** A row as lines of text: ours, each other side with the ratio ours / other, and the notes. */
export function renderRow(row: Row): string {
  const head = `${row.id.padEnd(14)} ${row.work}`;
  if (row.skipped !== undefined || row.ours === undefined)
    return `${head}\n    not measured: ${row.skipped ?? 'no samples'}`;
  const own = median(row.ours.samples);
  const lines = [head, `    ${line(row.ours)}`];
  for (const side of row.others) lines.push(`    ${line(side)}   ratio ${(own / median(side.samples)).toFixed(2)}`);
  for (const note of row.notes) lines.push(`    ${note}`);
  lines.push(`    aim: ${row.aim}`);
  return lines.join('\n');
}

function line(side: Side): string {
  const shown = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
  const p50 = shown(median(side.samples));
  const p99 = shown(quantile(side.samples, 0.99));
  return `${side.name.padEnd(34)} p50 ${p50} ${side.unit}, p99 ${p99} ${side.unit}, n = ${side.samples.length}`;
}
