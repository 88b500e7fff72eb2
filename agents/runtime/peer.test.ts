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
