// What an edit changes, line by line: as a unified diff for people and `patch`, and as ranges of lines for a host that tries it.

export interface FileEdit {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** `remove` lines from `line` (counted from 1) give way to `insert`. */
export interface LineChange {
  readonly line: number;
  readonly remove: readonly string[];
  readonly insert: readonly string[];
}

const context = 3;

/** Top to bottom; ranges do not touch. */
export function changesOf({ before, after }: FileEdit): readonly LineChange[] {
  const old = before.split('\n');
  const fresh = after.split('\n');
  const same = commonLines(old, fresh);
  const changes: LineChange[] = [];
  let [left, right] = [0, 0];
  for (const [oldAt, newAt] of [...same, [old.length, fresh.length] as const]) {
    if (oldAt > left || newAt > right)
      changes.push({ line: left + 1, remove: old.slice(left, oldAt), insert: fresh.slice(right, newAt) });
    [left, right] = [oldAt + 1, newAt + 1];
  }
  return changes;
}

/** Pairs of equal lines of a longest common subsequence. */
function commonLines(old: readonly string[], fresh: readonly string[]): readonly (readonly [number, number])[] {
  const width = fresh.length + 1;
  const lengths = new Uint32Array((old.length + 1) * width);
  for (let row = old.length - 1; row >= 0; row -= 1) {
    for (let column = fresh.length - 1; column >= 0; column -= 1) {
      lengths[row * width + column] =
        old[row] === fresh[column]
          ? (lengths[(row + 1) * width + column + 1] ?? 0) + 1
          : Math.max(lengths[(row + 1) * width + column] ?? 0, lengths[row * width + column + 1] ?? 0);
    }
  }
  const pairs: (readonly [number, number])[] = [];
  let [row, column] = [0, 0];
  while (row < old.length && column < fresh.length) {
    if (old[row] === fresh[column]) {
      pairs.push([row, column]);
      row += 1;
      column += 1;
    } else if ((lengths[(row + 1) * width + column] ?? 0) >= (lengths[row * width + column + 1] ?? 0)) row += 1;
    else column += 1;
  }
  return pairs;
}

/** In the form that `patch -p0` takes; '' for no edits. */
export function unifiedDiff(edits: readonly FileEdit[]): string {
  return edits
    .map((edit) => {
      const hunks = hunksOf(edit);
      return hunks.length > 0 ? `--- ${edit.path}\n+++ ${edit.path}\n${hunks.join('\n')}` : '';
    })
    .filter((text) => text !== '')
    .join('\n');
}

function hunksOf(edit: FileEdit): readonly string[] {
  const old = edit.before.split('\n');
  const last = old.at(-1) === '' ? old.length - 1 : old.length;
  const groups: LineChange[][] = [];
  for (const change of changesOf(edit)) {
    const group = groups.at(-1);
    const previous = group?.at(-1);
    if (group && previous && change.line - (previous.line + previous.remove.length) <= 2 * context) group.push(change);
    else groups.push([change]);
  }
  let shift = 0;
  return groups.map((group) => {
    const [first] = group;
    const end = group.at(-1);
    if (!first || !end) return '';
    const from = Math.max(1, first.line - context);
    const to = Math.min(last, end.line + end.remove.length - 1 + context);
    const lines: string[] = [];
    let at = from;
    for (const { line, remove, insert } of group) {
      lines.push(...old.slice(at - 1, line - 1).map((text) => ` ${text}`));
      lines.push(...remove.map((text) => `-${text}`), ...insert.map((text) => `+${text}`));
      at = line + remove.length;
    }
    lines.push(...old.slice(at - 1, to).map((text) => ` ${text}`));
    const grown = group.reduce((sum, { remove, insert }) => sum + insert.length - remove.length, 0);
    const header = `@@ -${from},${to - from + 1} +${from + shift},${to - from + 1 + grown} @@`;
    shift += grown;
    return [header, ...lines].join('\n');
  });
}
