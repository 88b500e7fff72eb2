// Phrases that read as translated, each with what a native engineer writes instead. Checked in every string that a person may read: texts in
// the sources, generated pages, documents.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;

const banned: readonly (readonly [phrase: RegExp, instead: string])[] = [
  [/\bit is not so that\b/i, 'say what there is instead'],
  [/\badvices\b/i, 'suggestions'],
  [/\bdoes not belong into\b/i, 'is not allowed here'],
  [/\bis no option\b/i, 'unknown option'],
  [/\bis no choice\b/i, 'is not one of'],
  [/\bword too many\b/i, 'unexpected argument'],
  [/\bis there a second time\b/i, 'is a duplicate; first defined on line N'],
  [/\bno UTF-8 text\b/i, 'not valid UTF-8'],
  [/\bwish(es)? to cancel\b/i, 'cancel request'],
  [/\band not of this inventory\b/i, 'but not in this inventory'],
  [/\bmend(s|ed|ing)?\b/i, 'fix, repair'],
  [/\banew\b/i, 'again'],
  [/\bis no (value|program|name|error|URL|number|file)\b/i, 'is not a …'],
  [/\(s\) (was|were|are|is)\b/i, 'write out both forms'],
  [/\bgoes back by itself\b/i, 'rolls back automatically'],
  [/\bby now\b.*\btold\b/i, 'reported'],
  [/\bthe one root cause\b/i, 'the root cause'],
  [/: right \(/, ': OK ('],
  [/\bis past its end\b/i, 'has expired'],
  [/\b[Tt]old from\b/, 'distinguished from'],
  [/\btyping error\b/i, 'typo'],
  [/\bdead lock\b/i, 'deadlock'],
  [/\bgoes? (round|past) (nginx|TLS)\b/i, 'bypasses'],
  [/\bcomplain(s|ed)? of\b/i, 'complains about'],
  [/\bgo(es)? on [a-z]+ing\b/i, 'keep(s) …ing'],
  [/\bnone is to blame but\b|\blooks? guilty\b|\bis innocent\b/i, 'gets the blame; is not at fault'],
  [/\bsomebody\b|\bwhoever\b/i, 'someone, another program, any client'],
  [/\blooked at only\b|\bnot looked at\b/i, 'not examined'],
  [/\bbring (it|the \w+) back\b/i, 'restore'],
  [/\b(takes?|took) the (SSH )?connection\b/i, 'accepts the connection'],
  [/\bdoes not speak of\b/i, 'does not mention'],
  [/\bis a program in between\b|\bis in between\b/i, 'intercepts'],
  [/\bway round it\b/i, 'workaround'],
];

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => existsSync(root + file) && !/decisions\//.test(file));
const sources = files.filter(
  (file) => /^(agents|cli|deploy|doctor)\/.*\.tsx?$/.test(file) && !/\.test\.tsx?$/.test(file),
);
const documents = files.filter((file) => /^(README|CONTRIBUTING|SECURITY|ARCHITECTURE|docs\/[\w-]+)\.md$/.test(file));

/** What stands between quotes on one line; comments and code are the business of readers. */
function texts(source: string): readonly { readonly line: number; readonly text: string }[] {
  return source.split('\n').flatMap((line, index) => {
    if (/^\s*(\/\/|\*|\/\*)/.test(line)) return [];
    const code = line.replace(/(?<![:'"`])\/\/.*$/, '');
    const found = code.match(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`?|^[^`]*`/g) ?? [];
    return found.filter((text) => text.includes(' ')).map((text) => ({ line: index + 1, text }));
  });
}

function complaints(
  file: string,
  lines: readonly { readonly line: number; readonly text: string }[],
): readonly string[] {
  return lines.flatMap(({ line, text }) =>
    banned
      .filter(([phrase]) => phrase.test(text))
      .map(([, instead]) => `${file}:${line}: ${text.slice(0, 90)} → ${instead}`),
  );
}

test('no text of the programs reads as translated', () => {
  expect(sources.flatMap((file) => complaints(file, texts(readFileSync(root + file, 'utf8'))))).toEqual([]);
});

test('no document does', () => {
  const lines = (file: string) =>
    readFileSync(root + file, 'utf8')
      .replaceAll(/^```[\s\S]*?^```/gm, (block) => block.replaceAll(/[^\n]/g, ''))
      .split('\n')
      .map((text, index) => ({ line: index + 1, text: text.replaceAll(/`[^`]*`/g, '') }));
  expect(documents.flatMap((file) => complaints(file, lines(file)))).toEqual([]);
});

test('a phrase of the list is found where a person would read it, and not in a comment', () => {
  const planted = "const a = 1; // mended\nthrow new Error('it is not so that b');\n";
  expect(complaints('x.ts', texts(planted))).toEqual([expect.stringContaining('x.ts:2')]);
});
