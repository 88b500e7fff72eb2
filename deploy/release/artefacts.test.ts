// What is shipped, from small builds made up here: content decides the digest, and what is missing is told.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { layerDigest } from '../host/layers.ts';
import { openArtefacts } from './artefacts.ts';

const place = mkdtempSync(join(tmpdir(), 'viworks-artefacts-'));
afterAll(() => rmSync(place, { recursive: true }));
const env = { HOME: place };
let made = 0;

function build(files: Record<string, string>): string {
  const dist = join(place, `dist-${++made}`);
  mkdirSync(join(dist, 'templates'), { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dist, name), content);
  return dist;
}
const FILES = {
  'main.js': 'main',
  'agent.js': 'agent',
  'doctor.js': 'doctor',
  'notify.pl': 'perl',
  'launcher.pl': 'launcher',
  'launcher-os.pl': 'launcher of the system',
  'launcher-tasks.pl': 'launcher of tasks',
  'host.cjs': 'helper();\n',
  'templates/x.tmpl': 'x',
  'package.json': JSON.stringify({
    version: '1.2.3',
    revision: 'abc1234',
    committedAt: '2026-11-20T17:15:02Z',
    agentFiles: ['main.js', 'agent.js'],
  }),
};
const open = (release: string) => openArtefacts({ release, env, signal: AbortSignal.timeout(10_000) });

test('a build that lacks a file is refused with its name', async () => {
  const { 'launcher-os.pl': _gone, ...rest } = FILES;
  await expect(open(build(rest))).rejects.toThrow('launcher-os.pl is missing');
});

test('the app layer is what the agents need, and its bytes are those of its list', async () => {
  const artefacts = await open(build(FILES));
  expect(artefacts).toMatchObject({ version: '1.2.3', revision: 'abc1234', committedAt: '2026-11-20T17:15:02Z' });
  const { files, digest } = artefacts.app;
  expect(files.map((file) => file.path)).toEqual([
    'dist/agent.js',
    'dist/launcher-os.pl',
    'dist/launcher-tasks.pl',
    'dist/launcher.pl',
    'dist/main.js',
    'dist/notify.pl',
    'dist/package.json',
    'notify.pl',
    'viworks',
  ]);
  expect(digest).toBe(layerDigest(files));
  const bytes = gunzipSync(await artefacts.app.pack());
  let at = 0;
  for (const file of files) {
    const part = bytes.subarray(at, at + file.size);
    expect(createHash('sha256').update(part).digest('hex')).toBe(file.sha256);
    at += file.size;
  }
  expect(at).toBe(bytes.length);
});

test('the same build has the same digest, another byte or mode another one', async () => {
  const first = (await open(build(FILES))).app;
  expect((await open(build(FILES))).app.digest).toBe(first.digest);
  expect((await open(build({ ...FILES, 'doctor.js': 'other' }))).app.digest).toBe(first.digest);
  expect((await open(build({ ...FILES, 'agent.js': 'other' }))).app.digest).not.toBe(first.digest);
  const [one, ...rest] = first.files;
  expect(layerDigest([{ ...one, path: one?.path ?? '', sha256: one?.sha256 ?? '', mode: 0o555 }, ...rest])).not.toBe(
    first.digest,
  );
});

test('the helper starts with the runtime that runs it', async () => {
  const helper = (await open(build(FILES))).helper('a'.repeat(64));
  expect(helper.content.toString()).toBe(`#!/opt/viworks/runtime/${'a'.repeat(64)}/node\nhelper();\n`);
  expect(helper.digest).toBe(createHash('sha256').update(helper.content).digest('hex'));
});

test.each<[string, string[]]>([
  ['no helper', ['host.cjs']],
  ['no program', ['main.js']],
  ['no list', ['package.json']],
])('a build with %s is not shipped', async (_name, missing) => {
  const files = Object.fromEntries(Object.entries(FILES).filter(([name]) => !missing.includes(name)));
  await expect(open(build(files))).rejects.toMatchObject({
    code: 'VW_DEPLOY_ARTEFACT',
    exitCode: 14,
    hint: 'npm run build',
  });
});

test('a machine that nothing is shipped to', async () => {
  const artefacts = await open(build(FILES));
  await expect(artefacts.runtime('mips')).rejects.toMatchObject({ code: 'VW_DEPLOY_ARTEFACT' });
});
