// What a release would change: facts and parcel in, a value and its words out.
import { expect, test } from 'vitest';
import { EMPTY_STATE } from '../host/memory.ts';
import type { HostFacts, HostState, Manifest, ReleaseParcel } from '../plan/manifest.ts';
import { compareHost } from './compare.ts';
import { describePlan, megabytes } from './describe.ts';

const manifest = (changes: Partial<Manifest> = {}): Manifest => ({
  schema: 1,
  id: '20261120T171502Z-aaaaaaaaaaaa',
  digest: 'one',
  version: '1.0.0',
  revision: 'abc',
  app: 'app-1',
  runtime: 'runtime-1',
  files: [
    { path: 'etc/backend.toml', sha256: 'a', mode: 0o444 },
    { path: 'etc/tls.crt', sha256: 'c', mode: 0o444 },
  ],
  outer: [],
  units: [{ name: 'viworks-backend-agent.service', part: 'backend', kind: 'service', fingerprint: 'f1' }],
  accounts: [],
  secrets: [],
  nginx: true,
  gates: {},
  ...changes,
});
const parcel = (made: Manifest, contents: Record<string, string> = {}): ReleaseParcel => ({ manifest: made, contents });
const state: HostState = {
  ...EMPTY_STATE,
  phase: 'committed',
  current: manifest().id,
  started: { 'viworks-backend-agent.service': { fingerprint: 'f1', release: manifest().id } },
};
const facts = (changes: Partial<HostFacts> = {}): HostFacts => ({
  hostname: 'be1',
  machineId: '0',
  architecture: 'x64',
  os: 'debian',
  osVersion: '12',
  systemd: 252,
  nginx: { version: '1.22.1', active: true },
  ipv6: true,
  perl: true,
  state,
  manifest: manifest(),
  drift: [],
  inactive: [],
  runtimes: ['runtime-1'],
  apps: ['app-1'],
  bad: [],
  freeBytes: 1e9,
  helper: 'helper-1',
  gatewayEnrolled: false,
  sessions: 3,
  ...changes,
});
const compare = (
  seen: HostFacts | undefined,
  next: ReleaseParcel = parcel(manifest()),
  before: Record<string, string | null> = {},
) => compareHost({ facts: seen, parcel: next, helper: 'helper-1', packages: ['nginx'], before });

test('nothing differs, nothing is done', () => {
  expect(compare(facts())).toMatchObject({ none: true, files: [], restarts: [], reloadsNginx: false, installs: [] });
});

test.each<[string, Partial<HostFacts>]>([
  ['an older helper', { helper: 'helper-0' }],
  ['an edited file', { drift: [{ path: '/x', what: 'edited' }] }],
  ['a unit that is down', { inactive: ['viworks-backend-agent.service'] }],
  ['a deploy that did not end', { state: { ...state, phase: 'activating' } }],
  ['a deploy that was held', { state: { ...state, phase: 'hold' } }],
])('%s is never "no changes"', (_name, changes) => {
  expect(compare(facts(changes)).none).toBe(false);
});

test.each<[string, Partial<HostFacts>]>([
  ['its configuration was edited', { drift: [{ path: '/opt/viworks/releases/x/etc/backend.toml', what: 'edited' }] }],
  ['the deploy was held', { state: { ...state, phase: 'hold' } }],
])('a unit is started again, though its fingerprint is the same, when %s', (_name, changes) => {
  expect(compare(facts(changes)).restarts).toEqual(['viworks-backend-agent.service']);
});

test('a bare host gets everything', () => {
  expect(compare(undefined)).toMatchObject({
    none: false,
    first: true,
    from: null,
    sendsApp: true,
    sendsRuntime: true,
    installs: ['nginx'],
    restarts: ['viworks-backend-agent.service'],
  });
});

test('only what changed is shown and restarted; ids and certificates are not worth a diff', () => {
  const next = manifest({
    id: '20261121T000000Z-bbbbbbbbbbbb',
    digest: 'two',
    files: [
      { path: 'etc/backend.toml', sha256: 'b', mode: 0o444 },
      { path: 'etc/tls.crt', sha256: 'd', mode: 0o444 },
      { path: 'etc/new', sha256: 'n', mode: 0o444 },
    ],
  });
  const contents = { 'etc/backend.toml': `id ${next.id}\nheartbeat 7\n`, 'etc/tls.crt': 'x', 'etc/new': 'n' };
  const before = { 'etc/backend.toml': `id ${manifest().id}\nheartbeat 10\n`, 'etc/tls.crt': 'y' };
  const change = compare(facts(), parcel(next, contents), before);
  expect(change.files).toEqual([
    {
      path: 'etc/backend.toml',
      kind: 'changed',
      diff: ['@@ -1,2 +1,2 @@', ` id ${manifest().id}`, '-heartbeat 10', '+heartbeat 7'],
    },
    { path: 'etc/tls.crt', kind: 'changed', diff: [] },
    { path: 'etc/new', kind: 'added', diff: [] },
  ]);
  expect(change).toMatchObject({ restarts: [], reloadsNginx: true, sendsApp: false });
  const sameButId = { ...before, 'etc/backend.toml': `id ${manifest().id}\nheartbeat 7\n` };
  expect(compare(facts(), parcel(next, contents), sameButId).files.map((file) => file.path)).toEqual([
    'etc/tls.crt',
    'etc/new',
  ]);
});

test('a file that is gone is told', () => {
  const next = manifest({ digest: 'two', files: [{ path: 'etc/backend.toml', sha256: 'a', mode: 0o444 }] });
  expect(compare(facts(), parcel(next)).files).toEqual([{ path: 'etc/tls.crt', kind: 'removed', diff: [] }]);
});

test('the plan in words', () => {
  const planned = { host: 'be1', label: 'be1', appBytes: 1_234_567, runtimeBytes: 126_000_000, sessions: 3 };
  const title = { project: 'acme', version: '1.0.0', revision: 'abc' };
  const bare = describePlan(title, [{ ...planned, change: compare(undefined), sessions: null }]).join('\n');
  expect(bare).toContain('plan for acme · viworks 1.0.0 (abc)');
  expect(bare).toContain('nothing installed → 20261120T171502Z-aaaaaaaaaaaa');
  expect(bare).toContain('runtime 126 MB to send · app layer 1.2 MB to send · installs nginx');
  expect(bare).toContain('rollback      to what was there before');
  const still = describePlan(title, [{ ...planned, change: compare(facts()) }]).join('\n');
  expect(still).toContain('no changes');
  expect(still).not.toContain('rollback');
  const edited = compare(facts({ drift: [{ path: '/etc/x', what: 'edited' }] }));
  const drifted = describePlan(title, [{ ...planned, change: edited }]).join('\n');
  expect(drifted).toContain('! /etc/x (edited on the host)');
  expect(drifted).toContain('3 live sessions stay');
  expect(megabytes(43_500_000)).toBe('44 MB');
});
