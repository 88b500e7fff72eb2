// What asks for OpenSSH and what ssh2 can do: the decision from tables, and the parts of `ssh -G` that viworks honours itself.
import { expect, test } from 'vitest';
import { agentSocket } from './credentials.ts';
import { differences, parseSshConfig, pathsOf, whyOpenSsh } from './ssh-config.ts';
import type { RemoteTarget } from './target.ts';

const target: RemoteTarget = { name: 'be1', address: '192.0.2.10', port: 22, user: 'root', hostKeys: [] };
const nothing = { special: undefined, authority: undefined };

test('keys come in lower case, and may come several times', () => {
  const config = parseSshConfig('HostName be1\nport 22\nidentityfile ~/.ssh/a\nidentityfile ~/.ssh/b\n');
  expect(config.get('hostname')).toEqual(['be1']);
  expect(pathsOf({ config, home: '/home/op' }, 'identityfile', target)).toEqual(['/home/op/.ssh/a', '/home/op/.ssh/b']);
});

test.each([
  ['nothing is set', [], nothing, undefined],
  [
    'only what ssh2 honours',
    ['identityagent', 'userknownhostsfile', 'serveraliveinterval', 'sendenv'],
    nothing,
    undefined,
  ],
  ['a jump', ['proxyjump'], nothing, true],
  ['a command in between', ['proxycommand'], nothing, true],
  ['a keyword that nobody here knows', ['somethingnew'], nothing, true],
  ['a certificate authority in known_hosts', [], { ...nothing, authority: 'known_hosts:3' }, true],
  ['a user certificate', [], { ...nothing, special: 'the certificate k-cert.pub' }, false],
] as const)('%s', (_name, changed, found, must) => {
  expect(whyOpenSsh(target, { changed }, found)?.must).toBe(must);
});

test('with a pin, known_hosts has no say', () => {
  const pinned = { ...target, hostKeys: ['SHA256:x'] };
  expect(whyOpenSsh(pinned, { changed: ['knownhostscommand'] }, { ...nothing, authority: 'f:1' })).toBeUndefined();
});

test('what differs from OpenSSH without configuration', () => {
  const plain = parseSshConfig('port 22\nuser root\n');
  expect(differences(parseSshConfig('port 22\nuser op\nproxyjump be1\n'), plain)).toEqual(['user', 'proxyjump']);
});

test.each([
  ['', '/run/agent'],
  ['identityagent SSH_AUTH_SOCK', '/run/agent'],
  ['identityagent none', undefined],
  ['identityagent ~/other', '/home/op/other'],
  ['identityagent $OTHER', '/run/other'],
])('IdentityAgent: %s', (line, socket) => {
  const settings = { config: parseSshConfig(line), home: '/home/op' };
  expect(agentSocket(settings, { SSH_AUTH_SOCK: '/run/agent', OTHER: '/run/other' })).toBe(socket);
});
