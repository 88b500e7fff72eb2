import { expect, test } from 'vitest';
import { parseConfig, ViworksError } from '../runtime/index.ts';
import { configSpec } from './config.ts';

function parse(
  text: string,
  env: Record<string, string> = {},
): ReturnType<typeof parseConfig<typeof configSpec.schema>> {
  const { schema, envPrefix } = configSpec;
  return parseConfig({
    schema,
    envPrefix,
    env,
    file: 'backend.toml',
    text,
    check: (value) => configSpec.check?.(value) ?? [],
  });
}

function problemsOf(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ViworksError) return error.message;
    throw error;
  }
  return '';
}

test('defaults are those that runbooks know', () => {
  expect(parse('state_dir = "/var/lib/viworks/backend"').value).toMatchObject({
    log_level: 'info',
    max_agent_connections: 10_000,
    api: { bind: '127.0.0.1', port: 8080, trusted_proxies: ['127.0.0.1', '::1'] },
    agents: { bind: '127.0.0.1', port: 8081, path: '/ws/agent', heartbeat_seconds: 10 },
    tls: { certificate: '', port: 9443 },
  });
});

test('variables override the file', () => {
  expect(parse('state_dir = "/a"\n[api]\nport = 1', { VIWORKS_BACKEND_API_PORT: '2' }).value.api.port).toBe(2);
});

test.each<[string, string, string[]]>([
  ['a typo', 'state_dir = "/a"\n[api]\nprot = 1', ['backend.toml:3:1  api.prot: unknown key']],
  ['all problems at once', 'log_level = "loud"\n[api]\nport = 70000', ['log_level', 'state_dir: missing', 'api.port']],
  [
    'a port used twice',
    'state_dir = "/a"\n[api]\nport = 8081',
    ['agents.port: 8081 is also api.port (line 3)', 'remedy: give each its own port'],
  ],
  [
    'the same under a wildcard',
    'state_dir = "/a"\n[api]\nport = 9000\nbind = "0.0.0.0"\n[agents]\nport = 9000\nbind = "127.0.0.2"',
    ['backend.toml:6:8  agents.port: 9000 is also api.port (line 3)'],
  ],
  ['half a TLS front', 'state_dir = "/a"\n[tls]\ncertificate = "/c.pem"', ['tls.key: missing']],
  [
    'a host name as address',
    'state_dir = "/a"\n[api]\nbind = "localhost"',
    ['api.bind: expected an IPv4 or IPv6 address'],
  ],
  [
    'a network that is none',
    'state_dir = "/a"\n[api]\ntrusted_proxies = ["192.0.2.0/99"]',
    ['expected an address or a network'],
  ],
  ['a path without slash', 'state_dir = "/a"\n[agents]\npath = "ws"', ['agents.path']],
])('%s is named with its place', (_name, text, expected) => {
  const problems = problemsOf(text);
  for (const part of expected) expect(problems).toContain(part);
});

test('different addresses may share a port, and port 0 is any port', () => {
  expect(problemsOf('state_dir = "/a"\n[api]\nport = 8081\nbind = "127.0.0.2"')).toBe('');
  expect(problemsOf('state_dir = "/a"\n[api]\nport = 0\n[agents]\nport = 0')).toBe('');
});

test('every key says what it is for', () => {
  const undocumented = Object.entries(configSpec.schema.shape).filter(([, schema]) => !schema.meta()?.description);
  expect(undocumented.map(([key]) => key)).toEqual([]);
});
