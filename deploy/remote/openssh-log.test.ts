// What OpenSSH says, line by line, and the end that it stands for.
import { expect, test } from 'vitest';
import { endOfOpenSsh, lastWords, readLog, refusalOf } from './openssh-log.ts';

const target = { name: 'be1', address: '192.0.2.10', port: 22, user: 'root', hostKeys: [] };
const credentials = { offered: [], locked: [], special: undefined };
const upToLogin = `debug1: Connection established.
debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1
debug1: Server host key: ssh-ed25519 SHA256:abc
debug1: SSH2_MSG_NEWKEYS received
debug1: Authentications that can continue: publickey,password
debug1: Offering public key: /home/op/.ssh/id ED25519 SHA256:def agent
`;

test.each([
  ['name-unresolved', 8, 'ssh: Could not resolve hostname gw1: Name or service not known'],
  ['refused', 8, 'ssh: connect to host 192.0.2.10 port 22: Connection refused'],
  ['timeout', 8, 'ssh: connect to host 192.0.2.10 port 22: Connection timed out'],
  ['timeout', 8, 'Connection timed out during banner exchange'],
  ['unreachable', 8, 'ssh: connect to host 192.0.2.10 port 22: No route to host'],
  ['cut-off', 8, 'debug1: Connection established.\nkex_exchange_identification: Connection closed by remote host'],
  ['protocol-error', 8, 'Unable to negotiate with 192.0.2.10 port 22: no matching key exchange method found.'],
  [
    'host-key-unknown',
    9,
    'No ED25519 host key is known for be1 and you have requested strict checking.\nHost key verification failed.',
  ],
  [
    'host-key-changed',
    9,
    '@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nOffending ED25519 key in /k:3\nHost key verification failed.',
  ],
  ['auth-denied', 10, `${upToLogin}root@192.0.2.10: Permission denied (publickey,password).`],
  [
    'too-many-keys',
    10,
    `${upToLogin}Received disconnect from 192.0.2.10 port 22:2: Too many authentication failures\nDisconnected from 192.0.2.10 port 22`,
  ],
  [
    'more-wanted',
    10,
    `${upToLogin}Authenticated using "publickey" with partial success.\ndebug1: Authentications that can continue: password\nroot@192.0.2.10: Permission denied (password).`,
  ],
  [
    'not-tried',
    64,
    '/home/op/.ssh/config: line 2: Bad configuration option: nonsense\n/home/op/.ssh/config: terminating, 1 bad configuration options',
  ],
])('%s (exit %i)', (end, exitCode, log) => {
  const error = endOfOpenSsh(readLog(log), { target, credentials, known: [], proxy: undefined, aside: '' });
  expect(error).toMatchObject({ exitCode, detail: { end } });
});

test('what is in the middle speaks for itself', () => {
  const log = 'debug1: Executing proxy command\nkex_exchange_identification: Connection closed by remote host';
  const aside = 'debug1: Connecting\nroot@be1: Permission denied (publickey).\n';
  const error = endOfOpenSsh(readLog(log), { target, credentials, known: [], proxy: 'be1', aside });
  expect(error.message).toContain('the way through be1 ended: root@be1: Permission denied (publickey).');
  expect(lastWords('debug1: x\n\n')).toBe('');
});

test('the reason of a forward is found by its place, also among others', () => {
  const log = `debug1: channel_connect_stdio_fwd: 127.0.0.1:1
debug1: channel 2: new stdio-forward [stdio-forward] (inactive timeout: 0)
debug1: channel_connect_stdio_fwd: 127.0.0.1:2
debug1: channel 3: new stdio-forward [stdio-forward] (inactive timeout: 0)
channel 3: open failed: administratively prohibited: open failed
channel 2: open failed: connect failed: Connection refused
`;
  expect(refusalOf(log, '127.0.0.1:1')).toEqual({ reason: 2, message: 'Connection refused' });
  expect(refusalOf(log, '127.0.0.1:2')).toEqual({ reason: 1, message: 'open failed' });
  expect(refusalOf(log, '127.0.0.1:3')).toBeUndefined();
});
