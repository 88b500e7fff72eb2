// What our agents say, against what was promised: a code keeps its sentence, each is said by its program, and the doctor knows no other.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SENTENCES } from '../../docs/pages/logs.ts';
import { signs } from '../../doctor/engine/index.ts';
import { OLDER_RELEASES } from '../../doctor/engine/signs/foreign-words.ts';

const root = new URL('../../', import.meta.url).pathname;
const read = (file: string): string => readFileSync(root + file, 'utf8');
const promised = JSON.parse(read('test/conventions/sentences.json')) as Record<string, string>;
const rows = Object.values(SENTENCES).flatMap((table) => Object.values(table));
const said = Object.fromEntries(rows.map(({ code, text }) => [code, text]));

/** Codes whose sentence is not the promised one, that are missing, or that nobody has promised. */
function deviations(spoken: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(promised), ...Object.keys(spoken)])].filter(
    (code) => promised[code] !== spoken[code],
  );
}

function sources(...folders: readonly string[]): { file: string; text: string }[] {
  return execFileSync('git', ['ls-files', '-co', '--exclude-standard', ...folders], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((file) => /\.(ts|tsx|pl)$/.test(file) && !/\.test\.tsx?$|\/messages\.ts$/.test(file))
    .filter((file) => existsSync(root + file))
    .map((file) => ({ file, text: read(file) }));
}

// To change a sentence on purpose, change sentences.json with it, and say so in CHANGELOG.md: people's filters may hang on it.
test('every code has the sentence that was promised', () => {
  expect(deviations(said)).toEqual([]);
});

test('any sentence that is reworded, dropped or added is noticed', () => {
  for (const code of Object.keys(said)) {
    expect(deviations({ ...said, [code]: `${said[code]}, reworded` })).toEqual([code]);
    const { [code]: _, ...fewer } = said;
    expect(deviations(fewer)).toEqual([code]);
  }
  expect(deviations({ ...said, GW_NEW: 'news' })).toEqual(['GW_NEW']);
});

test('a code stands once, and no two sentences of a program are alike', () => {
  const codes = rows.map(({ code }) => code);
  expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  for (const table of Object.values(SENTENCES)) {
    const texts = Object.values(table).map(({ text }) => text);
    expect(texts.filter((text, index) => texts.indexOf(text) !== index)).toEqual([]);
  }
});

const programs = [
  { table: 'any program', folder: 'agents/runtime', name: 'RUNTIME_MESSAGES', prefix: 'RT' },
  { table: 'the backend', folder: 'agents/backend', name: 'MESSAGES', prefix: 'BE' },
  { table: 'the gateway agent', folder: 'agents/gateway', name: 'MESSAGES', prefix: 'GW' },
];
for (const { table, folder, name, prefix } of programs)
  test(`what ${table} may say, it says`, () => {
    const texts = sources(folder).map(({ text }) => text);
    const entries = Object.entries(SENTENCES[table] ?? {});
    const unsaid = entries.filter(([key]) => !texts.some((text) => new RegExp(`\\b${name}\\.${key}\\b`).test(text)));
    expect(unsaid).toEqual([]);
    expect(entries.filter(([, { code }]) => !code.startsWith(`${prefix}_`))).toEqual([]);
  });

test('the launcher, which is perl, says its table and nothing else', () => {
  const text = read('agents/gateway/launcher/launcher.pl');
  const inPerl = [...text.matchAll(/\bsay_json\('\w+', \[(\w+) => '([^']+)'\]/g)].map(([, code, text]) => ({
    code,
    text,
  }));
  expect(inPerl).toEqual(Object.values(SENTENCES['the launcher'] ?? {}));
  expect(text.match(/\bsay_json\(/g)).toHaveLength(inPerl.length);
});

test('the doctor reads no code that nobody says', () => {
  const read = sources('doctor').flatMap(({ text }) =>
    [...text.matchAll(/'((?:RT|GW|BE|LA)_[A-Z_]+)'/g)].map((match) => match[1] ?? ''),
  );
  expect(read.length).toBeGreaterThan(0);
  expect(read.filter((code) => said[code] === undefined)).toEqual([]);
});

test('no source of the doctor but the one that says so holds a sentence of ours', () => {
  const ours = Object.values(said).filter((text) => text.includes(' '));
  const quoted = sources('doctor').flatMap(({ file, text }) =>
    ours.filter((sentence) => text.includes(`'${sentence}'`)).map((sentence) => `${file}: ${sentence}`),
  );
  expect(quoted.filter((line) => !line.startsWith('doctor/engine/signs/foreign-words.ts:'))).toEqual([]);
});

test('a line is read by its code, whatever its words; only a line without one by the words of older releases', () => {
  const event = (line: object) => signs.logs.spokenBy({ atMs: 0, text: JSON.stringify(line) })?.event ?? null;
  for (const [sentence, code] of Object.entries(OLDER_RELEASES)) {
    expect(event({ event: code, msg: 'in other words' })).toBe(code);
    expect(event({ event: 'GW_READY', msg: sentence })).toBe('GW_READY');
    expect(event({ msg: sentence })).toBe(code);
  }
  expect(event({ msg: 'in other words' })).toBeNull();
});
