// The authority against Node's own verifier: who trusts whom, what is kept, what is renewed.
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../agents/runtime/index.ts';
import { issueServerCertificate } from './authority.ts';

const home = mkdtempSync(join(tmpdir(), 'viworks-ca-'));
afterAll(() => rmSync(home, { recursive: true }));
const later = (days: number): Clock => ({ ...systemClock, now: () => systemClock.now() + days * 86_400_000 });
const issue = (changes: object = {}) =>
  issueServerCertificate({
    caDir: join(home, 'ca'),
    project: 'acme',
    names: ['agents.example.test'],
    clock: systemClock,
    signal: AbortSignal.timeout(10_000),
    ...changes,
  });

test('a server certificate is for its names, signed by the authority, and nothing more than a server', async () => {
  const made = await issue({ names: ['agents.example.test', '127.0.0.1'] });
  const leaf = new X509Certificate(made.certificatePem);
  const authority = new X509Certificate(made.trustPem);
  expect(leaf.checkHost('agents.example.test')).toBe('agents.example.test');
  expect(leaf.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(leaf.checkHost('other.example.test')).toBeUndefined();
  expect(leaf.verify(authority.publicKey) && leaf.checkIssued(authority)).toBe(true);
  expect([leaf.ca, authority.ca]).toEqual([false, true]);
  expect(authority.subject).toBe('CN=viworks authority of acme');
  // The object identifier of "server authentication", RFC 5280 §4.2.1.12.
  expect(leaf.keyUsage).toEqual([[1, 3, 6, 1, 5, 5, 7, 3, 1].join('.')]);
});

test('the second time gives the same certificate; the keys are private', async () => {
  const first = await issue();
  expect(await issue()).toEqual(first);
  const modes = readdirSync(join(home, 'ca')).map((name) => [
    name,
    (statSync(join(home, 'ca', name)).mode & 0o777).toString(8),
  ]);
  expect(Object.fromEntries(modes)).toEqual({
    'ca.crt': '644',
    'ca.key': '600',
    'server-agents.example.test.crt': '644',
    'server-agents.example.test.key': '600',
  });
  expect(statSync(join(home, 'ca')).mode & 0o777).toBe(0o700);
});

test('it is made anew for another name, near its end, and for another authority', async () => {
  const first = await issue();
  const wider = await issue({ names: ['agents.example.test', 'two.example.test'] });
  expect(wider.certificatePem).not.toBe(first.certificatePem);
  expect(wider.trustPem).toBe(first.trustPem);
  const renewed = await issue({ clock: later(380) });
  expect(renewed.certificatePem).not.toBe(wider.certificatePem);
  expect(renewed.trustPem).toBe(first.trustPem);
  rmSync(join(home, 'ca', 'ca.crt'));
  const other = await issue();
  expect(other.trustPem).not.toBe(first.trustPem);
  expect(new X509Certificate(other.certificatePem).checkIssued(new X509Certificate(other.trustPem))).toBe(true);
});

test('a broken authority is named with its place', async () => {
  writeFileSync(join(home, 'ca', 'ca.key'), 'nonsense');
  rmSync(join(home, 'ca', 'server-agents.example.test.crt'));
  await expect(issue()).rejects.toMatchObject({ code: 'VW_CA_UNUSABLE', exitCode: 6 });
});
