// What is installed and shipped is pinned: every locked package has its digest, and the notices name everything that the bundle contains.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { thirdPartyNotices } from '../../cli/notices.ts';

const root = new URL('../../', import.meta.url).pathname;

test('every package of the lock file has a digest', () => {
  const lock = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly integrity?: string; readonly link?: boolean }>>;
  };
  const open = Object.entries(lock.packages).filter(([path, { integrity }]) => path !== '' && !integrity);
  expect(open.map(([path]) => path)).toEqual([]);
});

test('a notice names the package, its version and its licence, once', () => {
  const inputs = [
    'node_modules/ws/lib/sender.js',
    'node_modules/ws/wrapper.mjs',
    'node_modules/ssh2/lib/agent.js',
    'cli/main.ts',
  ];
  const text = thirdPartyNotices(inputs, root);
  expect(text.match(/^\S+@\d+\.\d+\.\d+ \(.+\)$/gm)).toEqual([
    expect.stringMatching(/^ssh2@.* \(MIT\)$/),
    expect.stringMatching(/^ws@.* \(MIT\)$/),
  ]);
  expect(text).toContain('Permission is hereby granted');
});
