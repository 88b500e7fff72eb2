// Contexts: what flags, variables and the file decide together, and that secrets stay private.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { operatorDirectory, readContexts, resolveTarget, saveContext, saveProbeToken } from './contexts.ts';

let home = '';
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'viworks-contexts-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));
const env = () => ({ HOME: home });

test('no file means no contexts, and the way out is named', async () => {
  expect(await readContexts(env())).toEqual({ current: undefined, contexts: {} });
  await expect(resolveTarget({}, env())).rejects.toMatchObject({ code: 'VW_RUNTIME_NO_TARGET', exitCode: 64 });
});

test('a saved context is the current one; its files are private', async () => {
  await saveContext(env(), {
    name: 'acme',
    url: 'https://a.example.test',
    token: 't-1',
    trust: '-----BEGIN CERTIFICATE-----',
  });
  const target = await resolveTarget({}, env());
  expect([target.url.href, target.token?.reveal(), target.ca, target.context]).toEqual([
    'https://a.example.test/',
    't-1',
    '-----BEGIN CERTIFICATE-----',
    'acme',
  ]);
  for (const file of ['contexts.json', 'acme.token', 'acme.ca.pem']) {
    expect((await stat(join(operatorDirectory(env()), file))).mode & 0o777).toBe(0o600);
  }
});

test('the doctor has a token of its own, which a context from before it is given later', async () => {
  const file = async (name: string) => (await readContexts(env())).contexts[name]?.probeTokenFile;
  await saveContext(env(), { name: 'acme', url: 'https://a.example.test', token: 't-1', probeToken: 'p-1' });
  await saveContext(env(), { name: 'old', url: 'https://old.example.test', token: 't-2' });
  expect(await file('old')).toBeUndefined();
  await saveProbeToken(env(), 'old', 'p-2');
  await saveProbeToken(env(), 'nobody', 'p-3');
  for (const [name, token] of [
    ['acme', 'p-1'],
    ['old', 'p-2'],
  ] as const) {
    const probe = (await file(name)) ?? '';
    expect([await readFile(probe, 'utf8'), (await stat(probe)).mode & 0o777]).toEqual([`${token}\n`, 0o600]);
  }
  expect((await resolveTarget({ context: 'old' }, env())).token?.reveal()).toBe('t-2');
  expect(Object.keys((await readContexts(env())).contexts)).toEqual(['acme', 'old']);
});

test('a second context leaves the current one when told to', async () => {
  await saveContext(env(), { name: 'one', url: 'https://one.test', token: 'a' });
  await saveContext(env(), { name: 'two', url: 'https://two.test', token: 'b', makeCurrent: false });
  expect((await resolveTarget({}, env())).context).toBe('one');
  expect((await resolveTarget({ context: 'two' }, env())).token?.reveal()).toBe('b');
  expect((await resolveTarget({}, { ...env(), VIWORKS_CONTEXT: 'two' })).url.host).toBe('two.test');
});

test('a URL given by hand never gets the token of a context', async () => {
  await saveContext(env(), { name: 'acme', url: 'https://a.example.test', token: 'secret' });
  const target = await resolveTarget({ url: 'https://elsewhere.test' }, env());
  expect(target.token).toBeUndefined();
  await writeFile(join(home, 'mine'), 'mine\n');
  const mine = await resolveTarget({ url: 'https://elsewhere.test', tokenFile: join(home, 'mine') }, env());
  expect(mine.token?.reveal()).toBe('mine');
});

test.each([
  [{ context: 'nope' }, 'VW_RUNTIME_NO_CONTEXT'],
  [{ url: 'ftp://x' }, 'VW_RUNTIME_BAD_URL'],
  [{ url: 'http://backend.test' }, 'VW_RUNTIME_PLAIN_URL'],
  [{ url: 'localhost:8080' }, 'VW_RUNTIME_BAD_URL'],
  [{ url: 'https://x.test', tokenFile: '/nonexistent' }, 'VW_RUNTIME_SECRET_UNREADABLE'],
  [{ url: 'https://x.test', trustFile: '/nonexistent' }, 'VW_RUNTIME_CONFIG_UNREADABLE'],
  [{ url: 'https://x.test', trustFile: '/etc/passwd' }, 'VW_RUNTIME_CONFIG_UNREADABLE'],
])('%j ends with %s', async (options, code) => {
  await saveContext(env(), { name: 'acme', url: 'https://a.example.test', token: 'x' });
  await expect(resolveTarget(options, env())).rejects.toMatchObject({ code, exitCode: 64 });
});

test('a place that cannot be written is named', async () => {
  await writeFile(join(home, 'file'), '');
  const failure = saveContext(
    { XDG_CONFIG_HOME: join(home, 'file') },
    { name: 'a', url: 'https://a.test', token: 't' },
  );
  await expect(failure).rejects.toMatchObject({ code: 'VW_RUNTIME_CONTEXTS_UNWRITABLE', exitCode: 64 });
});

test('a damaged file is named with its place', async () => {
  await saveContext(env(), { name: 'acme', url: 'https://a.example.test', token: 'x' });
  const file = join(operatorDirectory(env()), 'contexts.json');
  for (const text of ['{', '[]', '{"contexts":{"a":{}}}']) {
    await writeFile(file, text);
    const failure = await resolveTarget({}, env()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'VW_RUNTIME_CONTEXTS_UNREADABLE', detail: { file } });
  }
});
