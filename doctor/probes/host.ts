// The machine itself: who and what it is, its clock, file systems, addresses, hosts file, name service, packet filter.
import { quoteWord } from '../../agents/runtime/index.ts';
import { type HostsLine, known, unknown } from '../engine/index.ts';
import { defineProbe } from './define-probe.ts';
import { parseFirewall } from './firewall-output.ts';
import { epochMs } from './frames.ts';
import { parseAddresses, parseHostsFile, parseIdentity, parseMounts, parseNameAnswer } from './host-output.ts';
import { type HostRound, look, read } from './probe.ts';

/** The clock beside ours: half the time between sending and hearing is taken off, the other half is the error. */
export const clockProbe = defineProbe({
  id: 'host.clock',
  title: 'clock',
  script: 'date +%s.%N; date +%z; cat /proc/uptime',
  key: 'host.clock',
  command: 'date +%s.%N',
  reading: (round) => {
    const looked = look(round, 'host.clock');
    const epoch = looked.ok ? Math.round(Number.parseFloat(looked.text.split('\n')[0] ?? '') * 1000) : Number.NaN;
    if (!Number.isFinite(epoch)) return unknown(looked.ok ? 'unparsed' : looked.reason);
    const half = (round.heardMs - round.atMs) / 2;
    // busybox knows no fractions of a second.
    const coarse = looked.ok && !/^\d+\.\d+/.test(looked.text) ? 1000 : 0;
    return known({
      epochMs: epoch,
      offsetMs: Math.round(epoch - (round.atMs + half)),
      errorMs: Math.ceil(half) + coarse,
    });
  },
});

export const identityProbe = defineProbe({
  id: 'host.identity',
  title: 'who and what the host is',
  script: `uname -sr; id -u; id -un; id -Gn; cat /proc/sys/kernel/hostname
grep ^btime /proc/stat
if [ -d /run/systemd/system ]; then echo systemd; else echo other; fi
sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null`,
  key: 'host.identity',
  command: 'uname -sr; id; cat /etc/os-release',
  parse: parseIdentity,
});

export const addressesProbe = defineProbe({
  id: 'host.addresses',
  title: 'own addresses',
  script: `if have ip; then $T ip -o addr 2>/dev/null; else cat /proc/net/fib_trie; echo --inet6; cat /proc/net/if_inet6; fi`,
  key: 'host.addresses',
  command: 'ip -o addr',
  parse: parseAddresses,
});

export const hostsFileProbe = defineProbe({
  id: 'host.hosts-file',
  title: '/etc/hosts',
  capBytes: 16 * 1024,
  script: 'cat /etc/hosts',
  key: 'host.hosts-file',
  command: ({ serverName }) => `grep -n ${serverName} /etc/hosts`,
  parse: parseHostsFile,
  lines: (value, { serverName }) => naming(value, serverName).map((line) => `/etc/hosts:${line.line}: ${line.text}`),
});

export const nameProbe = defineProbe({
  id: 'host.name',
  title: ({ serverName }) => `resolve ${serverName}`,
  script: ({ serverName }) => `have getent || { echo '!tool getent'; return; }
$T getent ahosts ${quoteWord(serverName)} || return $?`,
  key: 'dns.answer',
  command: ({ serverName }) => `getent ahosts ${serverName}`,
  reading: (round, { serverName }) => nameReading(round, serverName),
});

export const mountsProbe = defineProbe({
  id: 'host.mounts',
  title: 'file systems',
  script: `have df || { echo '!tool df'; return; }
$T df -kP 2>/dev/null; echo --inodes; $T df -iP 2>/dev/null; echo --mounts; cat /proc/self/mounts`,
  key: 'host.mounts',
  command: 'df -kP; df -iP; cat /proc/self/mounts',
  parse: parseMounts,
});

export const firewallProbe = defineProbe({
  id: 'host.firewall',
  title: 'packet filter',
  // Without a filter table in the kernel iptables-save prints nothing; the legacy tools would load modules, so only nft speaks.
  script: `[ "$(id -u)" = 0 ] || { echo '!permission the rules of the packet filter need root'; return; }
if have nft; then $T nft list ruleset 2>&1; elif have iptables-nft-save; then $T iptables-nft-save -c 2>/dev/null; else echo '!tool nft'; fi`,
  key: 'firewall.rules',
  command: 'nft list ruleset || iptables-save -c',
  parse: parseFirewall,
  lines: (rules) => rules.filter((rule) => rule.action !== 'accept').map((rule) => rule.text),
});

function naming(lines: readonly HostsLine[], serverName: string): readonly HostsLine[] {
  return lines.filter((line) => line.names.includes(serverName));
}

/** When the host's monotonic clock began, by its own clock: what process start times are counted from. Null when it was not told. */
export function bootMs(round: HostRound): number | null {
  const clock = look(round, 'host.clock');
  const [epoch, , uptime] = clock.ok ? clock.text.split('\n') : [];
  const now = epochMs(epoch);
  const up = Number.parseFloat(uptime ?? '');
  if (now !== null && Number.isFinite(up)) return now - Math.round(up * 1000);
  const identity = look(round, 'host.identity');
  const seconds = identity.ok ? /^btime (\d+)/m.exec(identity.text)?.[1] : undefined;
  return seconds === undefined ? null : Number(seconds) * 1000;
}

/** Offset of the host's local time, in ms: nginx writes local time without saying which. */
export function zoneOffsetMs(round: HostRound): number {
  const clock = look(round, 'host.clock');
  const match = clock.ok ? /^([+-])(\d\d)(\d\d)$/m.exec(clock.text) : null;
  if (!match) return 0;
  const minutes = Number(match[2]) * 60 + Number(match[3]);
  return (match[1] === '-' ? -1 : 1) * minutes * 60_000;
}

function nameReading(round: HostRound, name: string) {
  const hosts = read(look(round, 'host.hosts-file'), parseHostsFile);
  const lines = hosts.status === 'known' ? naming(hosts.value, name) : [];
  const looked = look(round, 'host.name');
  // The host itself says that its resolver took too long; a section that did not come says nothing.
  if (!looked.ok && looked.wasSilent) {
    return known({ name, addresses: [], error: 'timeout' as const, source: 'unknown' as const, milliseconds: null });
  }
  const rc = looked.ok ? looked.rc : 0;
  return read(looked, (text) => parseNameAnswer(text, { name, rc, hostsAddresses: lines.map((line) => line.address) }));
}
