// What a credential shows and takes, and who is taken for the backend: tables as the kernel prints them, where a second owner of a port, a redirect
// or a restart cannot be made here.
import type { Duplex } from 'node:stream';
import { expect, expectTypeOf, test } from 'vitest';
import { Credential, ProbeCredential, type VerifiedStream } from './credential.ts';
import { judgePeers } from './peer.ts';
import { Secret } from './secret.ts';

test('a credential shows its text to nobody, and takes no stream that was not proven', () => {
  const credential = new Credential(new Secret('vw_never-to-be-seen-0123456789'));
  expect(JSON.stringify({ credential }) + String(Object.values(credential))).not.toContain('never-to-be-seen');
  // The compiler says so: neither a stream nor something of the same shape will do.
  expectTypeOf<Duplex>().not.toExtend<Parameters<Credential['request']>[0]>();
  expectTypeOf<{ readonly stream: Duplex }>().not.toExtend<VerifiedStream>();
});

test.each([
  ['vw_probe_0123456789abcdefghijklmnop', true],
  [' vw_probe_0123456789abcdefghijklmnop\n', true],
  ['vw_0123456789abcdefghijklmnopqrstuvw', false],
  ['xvw_probe_0123456789abcdefghijklmnop', false],
  ['vw_probe_', false],
  ['vw_probe_0123456789abcdef\r\nX-Other: 1', false],
  ['vw_probe_0123456789abcdef vw_0123456789abcdefghijk', false],
  ['', false],
])('a token for probes says so, and no other is taken for one: %j', (text, taken) => {
  expect(ProbeCredential.of(text) !== undefined).toBe(taken);
});

test('a credential of any other role is no probe credential', () => {
  expectTypeOf<Credential>().not.toExtend<ProbeCredential>();
});

/** Rows as /proc/net/tcp has them: port 8080 on 127.0.0.1. */
const row = (of: { local: string; remote: string; state: string; inode: number; uid?: number }): string =>
  `   1: ${of.local} ${of.remote} ${of.state} 00000000:00000000 00:00000000 00000000 ${of.uid ?? 997}        0 ${of.inode} 1 0000000000000000 20 4 30 10 -1`;
const listener = (inode: number): string =>
  row({ local: '0100007F:1F90', remote: '00000000:0000', state: '0A', inode });
const near = (port: string): string =>
  row({ local: `0100007F:${port}`, remote: '0100007F:1F90', state: '01', inode: 900, uid: 0 });
const far = (port: string, inode: number): string =>
  row({ local: '0100007F:1F90', remote: `0100007F:${port}`, state: '01', inode });
const table = (rows: readonly string[], of: { held?: string; again?: number } = {}): string =>
  ['--main 77', of.held ?? '11\n12\n13', '--tcp', ...rows, '--held', '', `--main ${of.again ?? 77}`].join('\n');
const at = { address: '127.0.0.1', port: 8080 };

test.each([
  ['accepted', table([listener(11), near('A001'), far('A001', 12)]), true],
  ['not accepted yet', table([listener(11), near('A001'), far('A001', 0)]), true],
  [
    'a listener of both families',
    table([
      row({
        local: '00000000000000000000000000000000:1F90',
        remote: '00000000000000000000000000000000:0000',
        state: '0A',
        inode: 11,
      }),
      near('A001'),
      row({
        local: '0000000000000000FFFF00000100007F:1F90',
        remote: '0000000000000000FFFF00000100007F:A001',
        state: '01',
        inode: 12,
      }),
    ]),
    true,
  ],
  ['another listener beside ours', table([listener(11), listener(66), near('A001'), far('A001', 12)]), false],
  [
    'one connection of several elsewhere',
    table([listener(11), near('A001'), far('A001', 12), near('A002'), far('A002', 66)]),
    false,
  ],
  ['a redirect: the other end is not in the table', table([listener(11), near('A001')]), false],
  ['our own end is not in the table', table([listener(11)]), false],
  ['a replaced process', table([listener(11), near('A001'), far('A001', 12)], { again: 78 }), false],
  ['no process', table([listener(11), near('A001'), far('A001', 12)]).replaceAll('--main 77', '--main 0'), false],
  ['sockets that may not be seen', table([listener(11), near('A001'), far('A001', 12)], { held: '--denied' }), false],
  ['nothing', '', false],
])('%s', (_name, text, proven) => {
  expect(judgePeers(text, at).proven).toBe(proven);
});

/** What an ordinary user is shown: no open files of the process, but the unit, its sockets, and the kernel's uid and cgroup of each socket. */
const asUser = (of: {
  listener?: string;
  far?: string;
  rows?: readonly string[];
  listen?: string;
  state?: string;
}): string => {
  const service = '/system.slice/viworks-backend-agent.service';
  const cgroups = [
    `LISTEN    0 511 127.0.0.1:8080 0.0.0.0:*       ino:11 sk:1 cgroup:${of.listener ?? '/init.scope'} <->`,
    `ESTAB     0 0   127.0.0.1:8080 127.0.0.1:40961 uid:997 ino:12 sk:2 cgroup:${of.far ?? '/init.scope'} <->   `,
    'LISTEN    0 511 127.0.0.1:8080 0.0.0.0:*       ino:66 sk:3 cgroup:/init.scope <->',
    'TIME-WAIT 0 0   127.0.0.1:8080 127.0.0.1:40963 timer:(timewait,40sec,0) ino:0 sk:4',
  ];
  return [
    ...[
      '--main 77',
      '--denied',
      '--unit',
      'UID=997',
      `ControlGroup=${service}`,
      '--sockets',
      'ActiveState=inactive',
      'Accept=no',
    ],
    ...['Listen=127.0.0.1:8081 (Stream)', '', `ActiveState=${of.state ?? 'active'}`, 'Accept=no'],
    ...[
      `Listen=${of.listen ?? '127.0.0.1:8080 (Stream)'}`,
      '--cgroups',
      ...cgroups,
      '--tcp',
      ...(of.rows ?? kept),
      '--held',
      '--main 77',
    ],
  ].join('\n');
};
const keptBy = (uid: number): string =>
  row({ local: '0100007F:1F90', remote: '00000000:0000', state: '0A', inode: 11, uid });
const kept = [keptBy(0), near('A001'), far('A001', 12)];
const service = '/system.slice/viworks-backend-agent.service';

test.each([
  ['a socket that systemd keeps for the unit, taken from by its user', asUser({}), true],
  [
    'a socket of the unit itself',
    asUser({ listener: service, far: service, rows: [keptBy(997), near('A001'), far('A001', 12)] }),
    true,
  ],
  ['a connection that nobody took yet', asUser({ rows: [keptBy(0), near('A001'), far('A001', 0)] }), true],
  ['systemd listens, but for no unit of ours', asUser({ listen: '127.0.0.1:9090 (Stream)' }), false],
  ['a socket unit that is not active', asUser({ state: 'inactive' }), false],
  ['a listener of somebody else', asUser({ rows: [keptBy(65534), near('A001'), far('A001', 12)] }), false],
  [
    'a second listener',
    asUser({
      rows: [...kept, row({ local: '0100007F:1F90', remote: '00000000:0000', state: '0A', inode: 66, uid: 65534 })],
    }),
    false,
  ],
  [
    'the unit’s cgroup, another user',
    asUser({ listener: service, far: service, rows: [keptBy(65534), near('A001'), far('A001', 12)] }),
    false,
  ],
  ['a cgroup with our words in its name', asUser({ listener: `/user.slice/x cgroup:${service}` }), false],
  [
    'a connection that another user took',
    asUser({
      rows: [
        keptBy(0),
        near('A001'),
        row({ local: '0100007F:1F90', remote: '0100007F:A001', state: '01', inode: 12, uid: 65534 }),
      ],
    }),
    false,
  ],
  ['a kernel that notes no cgroups', asUser({}).replaceAll(/ cgroup:.*/g, ''), false],
])('as an ordinary user: %s', (_name, text, proven) => {
  expect(judgePeers(text, at).proven).toBe(proven);
});
