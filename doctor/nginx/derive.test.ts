// Routes as facts: for which requests, with which lines as evidence, and what happens where the files are missing.
import { expect, test } from 'vitest';
import { healthy } from '../../test/support/doctor/healthy.ts';
import { config, goodServer, gw, nginxSite } from '../../test/support/doctor/world.ts';
import { deriveRoutes } from './index.ts';

const routes = (world = healthy()) => deriveRoutes(world.store(), world.topology);

test('one route for agents, one for the API, one for what each gateway is configured to ask', () => {
  const world = healthy().put('agent.config', gw, 'gateway', config({ url: 'wss://agents.example.test/other' }));
  const found = routes(world).flatMap((fact) =>
    fact.key === 'nginx.route' && fact.reading.status === 'known'
      ? [[fact.subject, fact.reading.value.path, fact.reading.value.target?.addresses[0]?.port]]
      : [],
  );
  expect(found).toEqual([
    ['agents', '/ws/agent', 8081],
    ['api', '/api/v1/openapi.json', 8080],
    ['gw:gw-berlin-1', '/other', 8080],
  ]);
});

test('the evidence is the lines that decide', () => {
  expect(routes()[0]?.evidence.lines).toEqual([
    '/etc/nginx/sites-enabled/agents.conf:5  server {',
    '/etc/nginx/sites-enabled/agents.conf:9  location /ws/ {',
    '/etc/nginx/sites-enabled/agents.conf:10  proxy_pass http://127.0.0.1:8081;',
    '/etc/nginx/sites-enabled/agents.conf:12  proxy_set_header Upgrade $http_upgrade;',
    '/etc/nginx/sites-enabled/agents.conf:13  proxy_set_header Connection $connection_upgrade;',
  ]);
});

test('without the files the output of nginx -T will do', () => {
  const world = healthy().write('nginx.files', 'be', '', { status: 'unknown', reason: 'no-permission', detail: '' });
  expect(routes(world)[0]?.reading).toEqual({ status: 'unknown', reason: 'no-permission', detail: '' });
  const dump = nginxSite(goodServer)
    .files.map((file) => `# configuration file ${file.path}:\n${file.text}`)
    .join('\n');
  world.put('nginx.test', 'be', '', { ok: true, output: dump });
  expect(routes(world)[0]?.reading).toMatchObject({
    status: 'known',
    value: { action: 'proxy', location: { pattern: '/ws/' } },
  });
});

test('an entry file that is missing leaves the route unknown; no nginx fact, no route', () => {
  const world = healthy().put('nginx.files', 'be', '', { entry: '/x', files: [], unreadable: [] });
  expect(routes(world)[0]?.reading).toMatchObject({ status: 'unknown', reason: 'unparsed' });
  const none = healthy();
  const store = none
    .store()
    .all()
    .filter((fact) => fact.key !== 'nginx.files');
  expect(deriveRoutes({ ...none.store(), find: () => null, all: () => store }, none.topology)).toEqual([]);
});
