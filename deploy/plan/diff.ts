// Unified diffs of small text files. Pure; the longest common subsequence by dynamic programming is enough for them.

interface Edit {
  readonly sign: ' ' | '-' | '+';
  readonly line: string;
}

/** The hunks of a unified diff, without file headers; empty when both are equal. */
export function unifiedDiff(before: string, after: string, context = 3): string[] {
  if (before === after) return [];
  const edits = editsOf(splitLines(before), splitLines(after));
  const lines: string[] = [];
  let oldAt = 1;
  let newAt = 1;
  let index = 0;
  while (index < edits.length) {
    const change = edits.findIndex((edit, at) => at >= index && edit.sign !== ' ');
    if (change < 0) break;
    const start = Math.max(index, change - context);
    for (; index < start; index++) {
      oldAt++;
      newAt++;
    }
    let end = change;
    for (let at = change; at < edits.length && at <= end + 2 * context; at++) if (edits[at]?.sign !== ' ') end = at;
    const hunk = edits.slice(start, Math.min(edits.length, end + context + 1));
    const removed = hunk.filter((edit) => edit.sign !== '+').length;
    const added = hunk.filter((edit) => edit.sign !== '-').length;
    lines.push(`@@ -${oldAt},${removed} +${newAt},${added} @@`, ...hunk.map((edit) => `${edit.sign}${edit.line}`));
    oldAt += removed;
    newAt += added;
    index = start + hunk.length;
  }
  return lines;
}

function splitLines(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

function editsOf(before: readonly string[], after: readonly string[]): Edit[] {
  const width = after.length + 1;
  // common[i * width + j]: length of the longest common subsequence of before[i…] and after[j…].
  const common = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const below = common[(i + 1) * width + j] as number;
      const right = common[i * width + j + 1] as number;
      common[i * width + j] =
        before[i] === after[j] ? (common[(i + 1) * width + j + 1] as number) + 1 : Math.max(below, right);
    }
  }
  const edits: Edit[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      edits.push({ sign: ' ', line: before[i] as string });
      i++;
      j++;
    } else if (
      i < before.length &&
      (j === after.length || (common[(i + 1) * width + j] as number) >= (common[i * width + j + 1] as number))
    ) {
      edits.push({ sign: '-', line: before[i++] as string });
    } else edits.push({ sign: '+', line: after[j++] as string });
  }
  return edits;
}
