// What the templates give, against snapshots and, where they are installed, against nginx and systemd themselves.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { afterAll, expect, test } from 'vitest';
import { loadTemplates } from '../release/templates.ts';
import {
  hostPort,
  http2Spelling,
  renderNginxInclude,
  renderNginxPrivate,
  renderVhost,
  type VhostConfig,
} from './nginx.ts';
import {
  renderBackendToml,
  renderBackendUnits,
  renderGatewayToml,
  renderGatewayUnits,
  renderLauncherToml,
} from './render.ts';

const templates = await loadTemplates();
const directory = mkdtempSync(join(tmpdir(), 'viworks-render-'));
afterAll(() => rmSync(directory, { recursive: true }));

const NGINX = [process.env.VIWORKS_NGINX, '/usr/sbin/nginx'].find((file) => file && existsSync(file));
const ANALYZE = ['/usr/bin/systemd-analyze'].find((file) => existsSync(file));

const vhost: VhostConfig = {
  releaseId: '20261120T171502Z-9c1f00112233',
  serverName: 'agents.example.test',
  listen: ['127.0.0.1:9443'],
  http2: 'listener',
  certificate: '/opt/viworks/current/etc/tls.crt',
  key: '/etc/viworks/credstore/tls.key.1',
  api: '127.0.0.1:8080',
  agents: '127.0.0.1:8081',
};
const paths = {
  notify: '/opt/viworks/current/app/notify.pl',
  node: '/opt/viworks/current/runtime/node',
  nodeFlags: ['--max-semi-space-size=2'],
  program: '/opt/viworks/current/app/dist/main.js',
  configDirectory: '/opt/viworks/current/etc',
};
const units = (): Record<string, string> => ({
  ...renderBackendUnits(templates, paths, { api: '127.0.0.1:8080', agents: '[::1]:8081' }),
  ...renderGatewayUnits(templates, paths, {
    id: 'gw-1',
    enrolmentToken: '/etc/viworks/credstore/e',
  }),
});

test('the vhost', () => {
  const rendered = renderVhost(templates, vhost);
  expect(rendered).toMatchSnapshot();
  expect(rendered).not.toContain('{{');
  expect(renderNginxInclude(templates, '/opt/viworks/current/nginx')).toContain(
    'include /opt/viworks/current/nginx/*.conf;',
  );
});

test('HTTP/2 is spelled as the version at hand wants it', () => {
  expect(renderVhost(templates, { ...vhost, http2: 'directive' })).toMatch(
    /listen 127\.0\.0\.1:9443 ssl;\n {4}http2 on;/,
  );
  expect(renderVhost(templates, { ...vhost, http2: 'off' })).not.toContain('http2');
  expect(http2Spelling('1.22.1', true)).toBe('listener');
  expect(http2Spelling('1.25.1', true)).toBe('directive');
  expect(http2Spelling('1.26', true)).toBe('directive');
  expect(http2Spelling(undefined, true)).toBe('listener');
  expect(http2Spelling('1.26.0', false)).toBe('off');
});

test('what is no address is not listened on', () => {
  expect(() => renderVhost(templates, { ...vhost, listen: ['443; root /'] })).toThrow('not an address');
  expect(hostPort('::1', 80)).toBe('[::1]:80');
});

test('units', () => {
  expect(units()).toMatchSnapshot();
});

test('the files of the agents are TOML and say what they were given', () => {
  const backend = renderBackendToml(templates, {
    stateDir: '/var/lib/viworks/backend',
    releaseId: 'r1',
    logLevel: 'info',
    maxConnections: 10,
    heartbeatSeconds: 10,
    retention: { days: 30, storeMib: 10_240 },
    api: { bind: '127.0.0.1', port: 8080 },
    agents: { bind: '127.0.0.1', port: 8081, path: '/ws/agent' },
  });
  expect(parse(backend)).toEqual({
    log_level: 'info',
    state_dir: '/var/lib/viworks/backend',
    release_id: 'r1',
    max_agent_connections: 10,
    api: { bind: '127.0.0.1', port: 8080, trusted_proxies: ['127.0.0.1', '::1'] },
    agents: { bind: '127.0.0.1', port: 8081, path: '/ws/agent', heartbeat_seconds: 10 },
    retention: { days: 30, store_mib: 10_240 },
  });
  const gateway = {
    gatewayId: 'gw "1"',
    releaseId: 'r1',
    url: 'wss://agents.example.test/ws/agent',
    logLevel: 'info',
    stateDir: '/s',
    launcherSocket: '/run/l.sock',
    tasksDir: '/t',
    maxConcurrentTasks: 5,
    localApi: { bind: '127.0.0.1', port: 8443 },
    labels: { site: 'berlin\n', 'odd.key': '"' },
    verbs: ['core'],
  };
  expect(parse(renderGatewayToml(templates, { ...gateway, trustFile: '/ca.pem' }))).toMatchObject({
    gateway_id: 'gw "1"',
    trust_file: '/ca.pem',
    labels: { site: 'berlin\n', 'odd.key': '"' },
    verbs: { enabled: ['core'] },
  });
  expect(parse(renderGatewayToml(templates, gateway))).not.toHaveProperty('trust_file');
  const launcher = { socket: '/run/l.sock', tasksDir: '/t', agentUser: 'viworks-gateway', taskUser: '' };
  expect(parse(renderLauncherToml(templates, launcher))).toMatchObject({
    agent_user: 'viworks-gateway',
    task_user: '',
  });
});

test.skipIf(!NGINX)('nginx itself takes the private configuration, in a path with a space', () => {
  const home = join(directory, 'my nginx');
  mkdirSync(home);
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '1',
      '-subj',
      '/CN=x',
      '-keyout',
      join(home, 'k.pem'),
      '-out',
      join(home, 'c.pem'),
    ],
    { stdio: 'ignore' },
  );
  const rendered = renderNginxPrivate(templates, {
    ...vhost,
    certificate: join(home, 'c.pem'),
    key: join(home, 'k.pem'),
    asRoot: process.getuid?.() === 0,
    directory: home,
  });
  writeFileSync(join(home, 'nginx.conf'), rendered);
  const checked = spawnSync(NGINX as string, ['-t', '-p', `${home}/`, '-c', join(home, 'nginx.conf'), '-e', 'stderr'], {
    encoding: 'utf8',
  });
  expect(checked.stderr).toContain('test is successful');
  expect(checked.stderr).not.toMatch(/\[(warn|emerg|alert)\]/);
});

test.skipIf(!ANALYZE)('systemd itself takes the units, and the networked ones are hardened to 2.0 or better', () => {
  const place = join(directory, 'units');
  mkdirSync(place);
  for (const [name, content] of Object.entries(units())) {
    // Only the paths of programs differ from what is shipped: verify wants them to exist.
    writeFileSync(join(place, name), content.replaceAll(paths.node, '/bin/true'));
  }
  const files = Object.keys(units()).map((name) => join(place, name));
  const verified = spawnSync(ANALYZE as string, ['verify', '--man=no', '--recursive-errors=no', ...files], {
    encoding: 'utf8',
  });
  expect(verified.stderr.split('\n').filter((line) => line.includes('viworks'))).toEqual([]);
  for (const name of ['viworks-backend-agent.service', 'viworks-gateway-agent.service']) {
    const judged = spawnSync(
      ANALYZE as string,
      ['security', '--offline=true', '--threshold=20', '--no-pager', join(place, name)],
      {
        encoding: 'utf8',
      },
    );
    expect(judged.stdout).toMatch(/Overall exposure level for \S+: [01]\.\d|: 2\.0/);
    expect(judged.status).toBe(0);
  }
});
