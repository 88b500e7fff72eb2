// The pure parts of the lab: edits of an nginx configuration, addresses, control groups, the inventory.

import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { parseHierarchies } from '../e2e/lab/cgroup.ts';
import { renderInventory } from '../e2e/lab/inventory.ts';
import { layoutOf } from '../e2e/lab/layout.ts';
import { freeSlices, sliceOf } from '../e2e/lab/network.ts';
import { oldVhost } from '../e2e/lab/old-system.ts';
import {
  editLocation,
  inTlsServer,
  withDirective,
  withInvertedMap,
  withoutDirective,
  withoutLocation,
  withTarget,
} from '../e2e/lab/vhost.ts';

const vhost = oldVhost({ certificates: '/etc/tls', agents: '127.0.0.1:8081', api: '127.0.0.1:8080' });

test('a location is taken out with its braces, and the others stay', () => {
  const edited = withoutLocation(vhost, '/ws/');
  expect(edited).not.toContain('8081');
  expect(edited).toContain('proxy_pass http://127.0.0.1:8080;');
  expect(edited.split('{').length).toBe(edited.split('}').length);
});

test('a target is changed in one location only', () => {
  const edited = withTarget(vhost, '/', 'http://127.0.0.1:1');
  expect(edited).toContain('proxy_pass http://127.0.0.1:8081;');
  expect(edited).toContain('proxy_pass http://127.0.0.1:1;');
  expect(edited).not.toContain('8080');
});

test('directives are removed by name and first argument', () => {
  const edited = editLocation(vhost, '/ws/', (body) => withoutDirective(body, 'proxy_set_header', 'Connection'));
  expect(edited).not.toContain('Connection $');
  expect(edited).toContain('proxy_set_header Upgrade $http_upgrade;');
  expect(withoutDirective(vhost, 'proxy_http_version')).not.toContain('proxy_http_version');
});

test('a directive is put into a location, and into the server with TLS', () => {
  const denied = editLocation(vhost, '/ws/', (body) => withDirective(body, 'deny all;'));
  expect(denied).toMatch(/location \/ws\/ \{\s+deny all;\s+proxy_pass/);
  const plain = 'server { listen 80; }\nserver { listen 443 ssl; }';
  expect(inTlsServer(plain, 'ssl_protocols TLSv1.3;')).toBe(
    'server { listen 80; }\nserver {\n    ssl_protocols TLSv1.3; listen 443 ssl; }',
  );
});

test('the upgrade map is turned round', () => {
  expect(withInvertedMap(vhost)).toMatch(/default close;\s+''\s+upgrade;/);
});

test.each([
  ['no such location', () => withoutLocation(vhost, '/nowhere/')],
  ['no map', () => withInvertedMap('server {}')],
  ['no TLS', () => inTlsServer('server { listen 80; }', 'x;')],
])('what cannot be edited is said: %s', (_what, edit) => {
  expect(edit).toThrow('this nginx configuration has no');
});

test('every slice has its own addresses, and a taken network is left alone', () => {
  expect(sliceOf(0)).toMatchObject({
    prefix: '192.0.2.0/28',
    operator: '192.0.2.1',
    hosts: { be1: '192.0.2.10', gw1: '192.0.2.12' },
  });
  expect(sliceOf(17).prefix).toBe('198.51.100.16/28');
  expect(freeSlices([])).toHaveLength(32);
  expect(freeSlices(['default', '192.0.2.0/24', '127.0.0.0/8'])[0]).toBe(16);
  expect(freeSlices(['198.51.100.0/28', '192.0.2.0/24', '192.0.2.255'])[0]).toBe(17);
});

test('labs of two names, and of two checkouts, share nothing', () => {
  const ids = [layoutOf('lab', '/a'), layoutOf('other', '/a'), layoutOf('lab', '/b')].map((layout) => layout.id);
  expect(new Set(ids).size).toBe(3);
  expect(layoutOf('lab', '/a').dir).toBe('/a/.lab');
  expect(layoutOf('other', '/a').dir).toBe('/a/.lab-other');
  expect(layoutOf('lab', '/a').link.length).toBeLessThanOrEqual(15);
  expect(() => layoutOf('../x')).toThrow("a lab's name");
});

test('control group mounts are read in the hybrid and in the unified form', () => {
  const hybrid = [
    '30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw',
    '31 30 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset',
    '32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd',
    '33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
    '34 23 0:30 / /tmp/elsewhere rw - cgroup2 cgroup2 rw',
  ].join('\n');
  expect(parseHierarchies(hybrid).map(({ kind }) => kind)).toEqual(['controller', 'systemd', 'unified']);
  expect(parseHierarchies('25 21 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw')).toEqual([
    { mount: '/sys/fs/cgroup', kind: 'unified' },
  ]);
});

test('the inventory is TOML, pins both host keys, and differs by form', () => {
  const facts = { slice: sliceOf(0), fingerprints: { be1: 'SHA256:a', gw1: 'SHA256:b' }, user: 'root' };
  expect(parse(renderInventory({ ...facts, docker: false }))).toMatchObject({
    backend: { host: 'be1', nginx: { mode: 'own-vhost', install: true } },
    hosts: { be1: { address: '192.0.2.10', host_key: 'SHA256:a', runtime: 'systemd' }, gw1: { user: 'root' } },
  });
  expect(parse(renderInventory({ ...facts, docker: true }))).toMatchObject({
    backend: { nginx: { mode: 'container', name: 'nginx' } },
    hosts: { be1: { runtime: 'docker' }, gw1: { runtime: 'systemd' } },
  });
});
