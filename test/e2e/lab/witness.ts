// Independent eyes for the witnesses: raw sockets, the kernel's tables and systemd's own words. Nothing here comes from the doctor.
import { createHash, randomBytes } from 'node:crypto';
import tls from 'node:tls';
import { SUBPROTOCOL } from '../../../agents/protocol/index.ts';
import { serverName } from './seed.ts';
import type { Workbench } from './workbench.ts';

export const agentPath = '/ws/agent';
const patienceMs = 3_000;

/** A status code, or how the dial ended instead. */
export type UpgradeOutcome = number | 'refused' | 'reset' | 'silent' | 'wrong-accept' | `tls:${string}`;

function upgradeRequest(path: string, key: string, host: string): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${key}`,
    `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
    'User-Agent: lab-witness',
    '',
    '',
  ].join('\r\n');
}

/** Dials nginx from this machine and asks for an upgrade, over TLS and HTTP/1.1; trusts whatever certificate is there. */
export function upgradeThroughNginx(bench: Workbench, path: string = agentPath): Promise<UpgradeOutcome> {
  const key = randomBytes(16).toString('base64');
  return new Promise((resolve) => {
    const socket = tls.connect({
      host: bench.addresses.be1,
      port: 443,
      servername: serverName,
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: false,
    });
    const done = (outcome: UpgradeOutcome) => {
      socket.destroy();
      resolve(outcome);
    };
    let answer = '';
    socket.setTimeout(patienceMs, () => done('silent'));
    socket.on('secureConnect', () => socket.write(upgradeRequest(path, key, serverName)));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (answer.includes('\r\n\r\n')) done(judge(answer, key));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') done('refused');
      else done(error.code === 'ECONNRESET' ? 'reset' : `tls:${error.code ?? error.message}`);
    });
    socket.on('end', () => done('reset'));
  });
}

function judge(answer: string, key: string): UpgradeOutcome {
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? Number.NaN);
  if (status !== 101) return status;
  const expected = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return answer.includes(`Sec-WebSocket-Accept: ${expected}\r\n`) ||
    answer.toLowerCase().includes(`accept: ${expected.toLowerCase()}\r\n`)
    ? 101
    : 'wrong-accept';
}

// Every Debian host has perl; the key is fixed, so the accept key is too.
const dialer = String.raw`
use strict; use IO::Socket::INET;
my ($host, $port, $path) = @ARGV;
$SIG{ALRM} = sub { print "silent\n"; exit 0 };
alarm 3;
my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Timeout => 2) or do { print $!{ECONNREFUSED} ? "refused\n" : "silent\n"; exit 0 };
print $s "GET $path HTTP/1.1\r\nHost: agents.example.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\nUser-Agent: lab-witness\r\n\r\n";
$s->flush;
my $answer = '';
while ($answer !~ /\r\n\r\n/) { sysread($s, $answer, 4096, length $answer) or last }
my ($status) = $answer =~ m{^HTTP/1\.1 (\d+)} or do { print "reset\n"; exit 0 };
print $status == 101 && $answer !~ /accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i ? "wrong-accept\n" : "$status\n";
`;

/** Dials a port of the backend host from the host itself, past nginx. */
export async function upgradeDirect(bench: Workbench, path: string = agentPath, port = 8081): Promise<UpgradeOutcome> {
  const said = (await bench.run('be1', `perl - 127.0.0.1 ${port} ${path}`, dialer)).trim();
  return /^\d+$/.test(said) ? Number(said) : (said as UpgradeOutcome);
}

export interface Listener {
  readonly address: string;
  readonly queued: number;
  readonly owner: string;
}

export async function listeners(bench: Workbench, host: 'be1' | 'gw1', port: number): Promise<readonly Listener[]> {
  const text = await bench.run(host, `ss -Hltnp 'sport = :${port}'`);
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, queued = '0', , address = '', , owner = ''] = line.split(/\s+/);
      return { address, queued: Number(queued), owner };
    });
}

export async function unit(
  bench: Workbench,
  host: 'be1' | 'gw1',
  name: string,
): Promise<Readonly<Record<string, string>>> {
  const text = await bench.run(
    host,
    `systemctl show ${name} -p LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts,MainPID,ExecMainStatus,ExecMainCode`,
  );
  return Object.fromEntries(text.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]));
}

/** Whether the gateway host holds a connection to nginx: the kernel's word, not the agent's. */
export async function gatewayConnected(bench: Workbench): Promise<boolean> {
  const text = await bench.run('gw1', `ss -Htn state established 'dst ${bench.addresses.be1} and dport = :443'`);
  return text.trim() !== '';
}

export async function journal(bench: Workbench, host: 'be1' | 'gw1', name: string): Promise<string> {
  return bench.run(
    host,
    `journalctl -q -o cat -n 50 -u ${name} _SYSTEMD_INVOCATION_ID="$(systemctl show -P InvocationID ${name})"`,
  );
}

/** Everything that must be true of a healthy installation, as far as the outside can see it. */
export async function healthy(bench: Workbench): Promise<boolean> {
  return (await upgradeThroughNginx(bench)) === 101 && (await gatewayConnected(bench));
}
