// How a proposed edit and its trial read, the same in every output for people.
import type { Remedy } from '../engine/index.ts';

export function diffLines({ diff }: Remedy): readonly string[] {
  return diff === undefined ? [] : diff.split('\n');
}

/** '' where nothing is edited. */
export function triedText({ tried }: Remedy): string {
  if (!tried) return '';
  const words = { ok: 'passed', failed: 'failed', 'not-tried': 'not tried' } as const;
  return `${words[tried.state]}: ${tried.detail}`;
}

/** `FILE:LINE` of the first line that changes; null where nothing is edited. */
export function firstPlace({ diff }: Remedy): string | null {
  const file = /^--- (.+)$/m.exec(diff ?? '')?.[1];
  const hunk = /^@@ -(\d+)[^\n]*\n((?: [^\n]*\n)*)/m.exec(diff ?? '');
  if (file === undefined || !hunk) return null;
  return `${file}:${Number(hunk[1]) + (hunk[2] ?? '').split('\n').length - 1}`;
}
