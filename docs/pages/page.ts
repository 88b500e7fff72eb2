// What a generated page is, and small pieces of Markdown.

/** A generated file: its path from the root, and its whole new text. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** The line that tells a reader not to edit a generated page. */
export const GENERATED = '<!-- Made by `npm run docs`; edit the source that it names instead. -->';

/** A table row; pipes and line breaks in cells are escaped. */
export function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

/** A table with a head. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(...head), row(...head.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n');
}
