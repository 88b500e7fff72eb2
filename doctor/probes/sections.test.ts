// The one rule of what a cut answer is worth, and that a shell tells of it wherever in a section something was ended early.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createFrameReader } from './frames.ts';
import { bundleScript } from './script.ts';
import { Sections } from './sections.ts';

const text = 'one\ntwo\nthree';
const of = (rc: number, truncated: boolean, said = text) =>
  new Sections([{ id: 'a', rc, text: said, truncated }], ['a']);

test.each([
  ['whole', 0, false, true, { text, cut: false }],
  ['ended with an error of its own', 1, false, true, { text, cut: false }],
  ['whose reader had enough', 141, false, true, { text, cut: false }],
  ['longer than the cap', 0, true, false, { text: 'two\nthree', cut: true }],
  ['ended by its deadline', 124, false, false, { text: 'one\ntwo', cut: true }],
  ['killed', 137, false, false, { text: 'one\ntwo', cut: true }],
] as const)('a section that is %s', (_name, rc, truncated, ok, tail) => {
  const sections = of(rc, truncated);
  expect(sections.whole('a')).toMatchObject(ok ? { ok, text, rc } : { ok, reason: 'cut', wasSilent: false });
  expect(sections.tail('a')).toMatchObject({ ok: true, ...tail });
  const notTail = new Sections([{ id: 'a', rc, text, truncated }]);
  expect(notTail.tail('a')?.ok).toBe(ok);
});

test('one that never came is no answer, and one that said nothing until its deadline is silent', () => {
  expect(of(0, false).whole('b')).toBeNull();
  expect(of(124, false, '').whole('a')).toMatchObject({ ok: false, wasSilent: true });
  expect(of(0, true, '').whole('a')).toMatchObject({ ok: false, wasSilent: false });
});

const tools = mkdtempSync(join(tmpdir(), 'viworks-tools-'));
// Stands for a command that hangs: half of its output came.
writeFileSync(join(tools, 'timeout'), '#!/bin/sh\nshift\n[ "$1" = hang ] || exec "$@"\necho half\nexit 124\n');
chmodSync(join(tools, 'timeout'), 0o755);
afterAll(() => rmSync(tools, { recursive: true }));

const bodies: Readonly<Record<string, readonly [string, { readonly rc: number; readonly text: string }]>> = {
  'the last command': ['$T hang', { rc: 124, text: 'half' }],
  'a command with others after it': ['$T hang; echo more', { rc: 124, text: 'half\nmore' }],
  'a command in a pipe': ['echo a; $T hang | cat; echo b', { rc: 124, text: 'a\nhalf\nb' }],
  'a command whose output is a word': ['x=$($T hang 2>/dev/null); echo "$x b"', { rc: 124, text: 'half b' }],
  'two of them': ['$T hang; $T hang', { rc: 124, text: 'half\nhalf' }],
  'none, though the section fails': ['$T echo a; return 7', { rc: 7, text: 'a' }],
  'a list that fits': ['printf "a\\nb\\n" | first 2', { rc: 0, text: 'a\nb' }],
  'a list that is longer': ['printf "a\\nb\\nc\\n" | first 2 | cat; echo', { rc: 124, text: 'a\nb' }],
};

// busybox has a `timeout` of its own, for which nothing can stand in.
const shells = ['sh', 'bash', 'dash'].filter((name) => {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`]);
    return true;
  } catch {
    return false;
  }
});

test.each(shells.flatMap((shell) => Object.entries(bodies).map(([what, of_]) => [shell, what, ...of_] as const)))(
  '%s: what was ended early is %s',
  (shell, _what, body, expected) => {
    const sections = [
      { id: 'a', title: '', body },
      { id: 'b', title: '', body: 'echo whole' },
    ];
    const args = ['-s'];
    const env = { PATH: `${tools}:/usr/bin:/bin` };
    const out = execFileSync(shell, args, { input: bundleScript(sections, 'nonce'), env });
    const frames = createFrameReader('nonce').push(out);
    expect(frames.map((frame) => ({ ...frame, text: frame.text.trim() }))).toEqual([
      { id: 'a', truncated: false, ...expected },
      { id: 'b', truncated: false, rc: 0, text: 'whole' },
    ]);
  },
);

test('of a log that is too long the end is kept, of everything else the beginning', () => {
  const body = 'echo 12345; echo 67890';
  const sections = [
    { id: 'a', title: '', body, capBytes: 5 },
    { id: 'b', title: '', body, capBytes: 5, isTail: true },
  ];
  const frames = createFrameReader('nonce').push(
    execFileSync('sh', ['-s'], { input: bundleScript(sections, 'nonce') }),
  );
  expect(frames.map((frame) => [frame.text, frame.truncated])).toEqual([
    ['12345', true],
    ['67890', true],
  ]);
});
