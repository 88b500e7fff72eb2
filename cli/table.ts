// Rows under headings, columns as wide as they must be. Pure.
import { visibleText } from '../agents/runtime/index.ts';

/** Renders a table; the last column is never padded, so lines have no trailing blanks. */
export function renderTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => printable(row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return `${[headings, ...rows].map((row) => line(row.map(printable))).join('\n')}\n`;
}

// One cell stays one line.
function printable(text: string): string {
  return visibleText(text).replace(/[\n\t]/g, ' ');
}
