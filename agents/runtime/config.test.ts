import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import { loadConfig, parseConfig } from './config.ts';

const schema = z.strictObject({
  log_level: z.enum(['debug', 'info']).default('info'),
  api: z
    .strictObject({ bind: z.string().default('127.0.0.1'), port: z.int().min(1).max(65_535).default(8080) })
    .prefault({}),
  agents: z.strictObject({ port: z.int().default(8081) }).prefault({}),
  state_dir: z.string(),
  hosts: z.array(z.strictObject({ name: z.string() })).default([]),
});

function messageOf(text: string, extra: object = {}): string {
  try {
    parseConfig({ schema, file: 'viworks.toml', text, ...extra });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'no error';
}

test('defaults, file, environment and flags win in that order and say where each value came from', () => {
  const { value, provenance } = parseConfig({
    schema,
    file: 'b.toml',
    text: 'state_dir = "/a"\n[api]\nport = 1\nbind = "::1"\n[agents]\nport = 2\n',
    env: { VIWORKS_API_PORT: '3', VIWORKS_AGENTS_PORT: '4' },
    envPrefix: 'VIWORKS',
    flags: { 'agents.port': 5, log_level: undefined },
  });
  expect(value).toMatchObject({ log_level: 'info', api: { port: 3, bind: '::1' }, agents: { port: 5 } });
  expect(provenance.get('api.bind')).toEqual({ source: 'file', at: 'b.toml:4:8' });
  expect(provenance.get('api.port')).toEqual({ source: 'environment', at: 'VIWORKS_API_PORT' });
  expect(provenance.get('agents.port')).toEqual({ source: 'flag', at: '--agents.port' });
  expect(Object.isFrozen(value.api)).toBe(true);
});

test.each([
  ['an unknown key, at the key', 'state_dir="/a"\n[api]\nprot = 1\n', 'viworks.toml:3:1  api.prot: unknown key'],
  ['a wrong type, at the value', 'state_dir="/a"\n[api]\nport = "x"\n', 'viworks.toml:3:8  api.port: expected number'],
  ['a missing key', '', 'viworks.toml:1:1  state_dir: missing; expected string'],
  [
    'an item of an array of tables',
    'state_dir="/a"\n[[hosts]]\nname="a"\n[[hosts]]\nname=1\n',
    'viworks.toml:5:6  hosts.1.name',
  ],
  ['a dotted key', 'state_dir="/a"\napi.port = true\n', 'viworks.toml:2:12  api.port'],
  ['an inline table', 'state_dir="/a"\napi = { port = 0 }\n', 'viworks.toml:2:16  api.port'],
  ['a syntax error', 'state_dir = = 1\n', 'viworks.toml:1:13'],
])('names the place of %s', (_what, text, expected) => {
  expect(messageOf(text)).toContain(expected);
});

test('reports all problems at once', () => {
  const message = messageOf('log_level="loud"\nfoo=1\n[api]\nport=0\n');
  for (const part of [':1:11  log_level', ':2:1  foo: unknown key', ':4:6  api.port', 'state_dir: missing']) {
    expect(message).toContain(part);
  }
});

test('a check names both places', () => {
  const message = messageOf('state_dir="/a"\n[api]\nport = 9\n[agents]\nport = 9\n', {
    check: () => [
      {
        path: ['api', 'port'],
        also: ['agents', 'port'],
        message: '9 is also agents.port',
        remedy: 'give the API another port',
      },
    ],
  });
  expect(message).toBe(
    'viworks.toml:3:8  api.port: 9 is also agents.port (line 5)\n  remedy: give the API another port',
  );
});

test('a bad variable is named as such', () => {
  expect(messageOf('state_dir="/a"\n', { env: { VIWORKS_API_PORT: 'http' }, envPrefix: 'VIWORKS' })).toContain(
    'VIWORKS_API_PORT  api.port',
  );
});

test('a key named __proto__ pollutes nothing', () => {
  messageOf('state_dir="/a"\n"__proto__" = { polluted = 1 }\n');
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
});

test('reads a file, and says so when it cannot', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'viworks-config-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const file = join(dir, 'x.toml');
  await expect(loadConfig({ schema, file })).rejects.toMatchObject({
    code: 'VW_RUNTIME_CONFIG_UNREADABLE',
    exitCode: 64,
  });
  await writeFile(file, 'state_dir = "/a"\n');
  expect((await loadConfig({ schema, file })).value.state_dir).toBe('/a');
});
