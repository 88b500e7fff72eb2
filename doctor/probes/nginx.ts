// nginx on the backend's host or in its container: configuration files with their includes, the processes, its own verdict, error log, certificates.

import { X509Certificate } from 'node:crypto';
import { type Certificate, type Container, type Fact, notApplicable, unknown } from '../engine/index.ts';
import type { Ask } from './ask.ts';
import { defineProbe, type Probe } from './define-probe.ts';
import { containerLogsProbe, containersIn, findContainer, logWindow } from './docker.ts';
import { epochMs } from './frames.ts';
import { bootMs } from './host.ts';
import { keepNginxFiles } from './nginx-keep.ts';
import {
  DOCKER_LOG,
  ERROR_LOG,
  errorLogAgainFact,
  errorLogFact,
  errorLogScript,
  LOG_CAP_BYTES,
  type LogWindow,
  seenLogs,
} from './nginx-log.ts';
import { nginxProcesses, parseNginxFiles, parseNginxTest, type TimedFile } from './nginx-output.ts';
import { nginxPrelude } from './nginx-shell.ts';
import { type HostRound, look, read, say } from './probe.ts';
import type { Section } from './script.ts';
import { parseProcesses, type SeenProcess } from './service-output.ts';
import { seenUnits } from './units.ts';

/** What every probe of nginx shares. */
const ofNginx = {
  seats: ['be'],
  absent: ({ nginx }: Ask) => (nginx === null ? 'this installation has no nginx' : null),
  prelude: ({ nginx }: Ask) => (nginx === null ? '' : nginxPrelude(nginx)),
} as const;

const filesProbe = defineProbe({
  ...ofNginx,
  id: 'nginx.files',
  title: "nginx's configuration",
  capBytes: 512 * 1024,
  script: `nginx_whole; printf '%s\\n' "$NF"`,
  keep: keepNginxFiles,
  key: 'nginx.files',
  command: 'nginx -T',
  lines: () => [],
  reading: (round) => read(look(round, 'nginx.files'), (text) => parseNginxFiles(text, round.nonce)),
});

const processesProbe = defineProbe({
  ...ofNginx,
  id: 'nginx.processes',
  title: "nginx's processes",
  script: `nginx_whole
for p in $(nginx_pids); do
  echo "--pid $p"; grep -E '^(State|PPid|NSpid):' /proc/$p/status 2>/dev/null
  program_of "$p"; [ $? = 2 ] && echo 'program unseen'
  echo "stat $(cat /proc/$p/stat 2>/dev/null)"; echo "cmdline $(tr '\\0' ' ' </proc/$p/cmdline 2>/dev/null)"
  echo cgroup; cat /proc/$p/cgroup 2>/dev/null
done
echo "--now $(cat /proc/uptime)"; getconf CLK_TCK 2>/dev/null || echo 100
if have nginx; then nginx -v 2>&1; fi`,
  facts: (round, ask) => {
    const own = processesOf(round, ask);
    const absent = ofNginx.absent(ask);
    const lines = own.map(
      (item) => `${item.pid} ${item.commandLine}${item.unseen ? ' (known by its user and parent)' : ''}`,
    );
    const reading = absent === null ? processReading(round, ask) : notApplicable(absent);
    const command = 'ps -C nginx -o pid,lstart,args';
    return [say(round, { key: 'nginx.processes', section: 'nginx.processes', command, lines, reading })];
  },
});

const testProbe = defineProbe({
  ...ofNginx,
  id: 'nginx.test',
  title: 'nginx -t',
  // While nginx is down `nginx -t` would create its pid file, so it is left out: the log of the failed start says the same.
  script: `[ "$(id -u)" = 0 ] || { echo '!permission nginx -t reads the key file, which needs root'; return; }
nginx_whole; nginx_root; nginx_entry
if [ -n "$C" ]; then
  # Its program would run with the host's rights, or be started in it by us: neither is for somebody who only looks.
  echo '!tool not tested in a container'; return
fi
have nginx || { echo '!tool nginx'; return; }
[ -n "$NP" ] || { echo '!tool nginx does not run, and testing would create its pid file'; return; }
# nginx loads modules that the file names: only what root alone decides is tested.
case $(take "$E" '' '' all 0 '' | head -n 1) in +*' 0') ;; *) echo '!permission others than root may write its main file'; return;; esac
$T nginx -t -c "$E" 2>&1`,
  key: 'nginx.test',
  command: 'nginx -t',
  reading: (round) => read(look(round, 'nginx.test'), parseNginxTest),
});

const errorLogProbe = defineProbe({
  ...ofNginx,
  id: ERROR_LOG,
  title: "nginx's error log",
  capBytes: LOG_CAP_BYTES,
  isTail: true,
  script: errorLogScript([]),
  facts: (round, ask) => (ask.nginx === null ? [] : [errorLogFact(round, aboutLog(round, ask))]),
});

const certificatesProbe = defineProbe({
  ...ofNginx,
  id: 'nginx.certificates',
  title: 'certificate files',
  script: `nginx_whole; nginx_root; w=$(nginx_user)
for c in $(printf '%s\\n' "$NF" | sed -n 's/^[[:space:]]*ssl_certificate[[:space:]]\\{1,\\}\\([^ ;]*\\).*/\\1/p' | sort -u | head -n 8); do
  b=$(take "$R$c" "$w" "$P" certs)
  case $b in +*) printf '\\n--file %s %s\\n' "$(printf '%s\\n' "$b" | sed 's/^+//; s/ .*//; q')" "$c"; printf '%s\\n' "$b" | sed 1d;; esac
done`,
  key: 'tls.disk-certificate',
  command: (_ask, round) => `openssl x509 -noout -dates -serial -in ${certificateFile(round)?.path ?? 'FILE'}`,
  lines: ({ path, certificate: { serial, notAfterMs } }) => [
    `${path}: serial ${serial}, until ${new Date(notAfterMs).toISOString()}`,
  ],
  reading: (round) => {
    const looked = look(round, 'nginx.certificates');
    const file = certificateFile(round);
    if (looked.ok && !file) return unknown('no-permission', 'no certificate file could be read');
    return read(looked, () => ({
      path: file?.path ?? '',
      certificate: describeCertificate(new X509Certificate(file?.text ?? '')),
      mtimeMs: file?.mtimeMs ?? 0,
    }));
  },
});

export const nginxProbes: readonly Probe[] = [filesProbe, processesProbe, testProbe, errorLogProbe, certificatesProbe];

function sameContainer(item: SeenProcess, container: Container | null): boolean {
  return container === null || item.unit === `docker-${container.id}.scope`;
}

function processesOf(round: HostRound, { nginx, containers }: Ask): readonly SeenProcess[] {
  const looked = look(round, 'nginx.processes');
  const text = looked.ok ? looked.text.replace(/\nnginx version:.*/s, '') : '';
  const container = containerOf(round, containers);
  return parseProcesses(text, { later: '', bootMs: bootMs(round) }).filter((item) =>
    nginx?.container
      ? item.unit?.startsWith('docker-') && sameContainer(item, container)
      : item.innerPid === item.pid && !item.unit?.startsWith('docker-'),
  );
}

function containerOf(round: HostRound, containers: Ask['containers']): Container | null {
  const part = containers.find((item) => item.part === 'nginx');
  return part ? findContainer(containersIn(round), part) : null;
}

function processReading(round: HostRound, ask: Ask) {
  return read(look(round, 'nginx.processes'), (text) => {
    const version = /nginx version: nginx\/(\S+)/.exec(text)?.[1] ?? null;
    return nginxProcesses(processesOf(round, ask), ask.nginx?.container ? null : version);
  });
}

function newestStart(
  workers: readonly { readonly startedAtMs: number | null; readonly shuttingDown: boolean }[],
): number | null {
  const starts = workers.flatMap((worker) =>
    worker.startedAtMs === null || worker.shuttingDown ? [] : [worker.startedAtMs],
  );
  return starts.length > 0 ? Math.max(...starts) : null;
}

function aboutLog(round: HostRound, ask: Ask): LogWindow {
  const inContainer = ask.nginx?.container != null;
  const processes = processReading(round, ask);
  const started = inContainer
    ? logWindow(containerOf(round, ask.containers), round.atMs)
    : (seenUnits(round, ask).get('nginx')?.windowMs ?? null);
  const sinceMs = newestStart(processes.status === 'known' ? processes.value.workers : []) ?? started;
  return { sinceMs, inContainer };
}

/** What to ask once more after the live dials: only what nginx wrote in its error log since the round. */
export function errorLogAgain(round: HostRound, ask: Ask): readonly Section[] {
  if (ask.nginx === null) return [];
  const [own] = errorLogProbe.sections(ask);
  const ofContainer = containerLogsProbe.sections(ask).filter(({ id }) => id === DOCKER_LOG);
  return own ? [{ ...own, body: errorLogScript(seenLogs(round)) }, ...ofContainer] : [];
}

/** Both looks at the error log as one; null where one of them saw nothing. */
export function errorLogOfBoth(first: HostRound, second: HostRound, ask: Ask): Fact | null {
  return errorLogAgainFact(first, second, aboutLog(first, ask));
}

function certificateFile(round: HostRound): TimedFile | undefined {
  const looked = look(round, 'nginx.certificates');
  return looked.ok ? timedFiles(looked.text)[0] : undefined;
}

function timedFiles(text: string): TimedFile[] {
  return text.split(/^--file /m).flatMap((block) => {
    const match = /^([\d.]+)\S* (\S+)\n/.exec(block);
    return match ? [{ mtimeMs: epochMs(match[1]) ?? 0, path: match[2] ?? '', text: block.slice(match[0].length) }] : [];
  });
}

/** What matters of a certificate. */
export function describeCertificate(certificate: X509Certificate): Certificate {
  return {
    subject: certificate.subject.replaceAll('\n', ', '),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    names: [...(certificate.subjectAltName ?? '').matchAll(/(?:DNS|IP Address):([^,]+)/g)].map(
      (match) => match[1] ?? '',
    ),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    serial: certificate.serialNumber,
    sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    selfSigned: certificate.checkIssued(certificate),
  };
}
