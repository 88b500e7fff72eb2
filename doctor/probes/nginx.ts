// nginx on the backend's host or in its container: configuration files with their includes, the processes, its own verdict, error log, certificates.
import { X509Certificate } from 'node:crypto';
import {
  type Certificate,
  type Container,
  type Fact,
  type LogTail,
  notApplicable,
  type Reading,
  unknown,
} from '../engine/index.ts';
import { type ContainerRef, containerName } from './docker.ts';
import { parseDockerLog } from './docker-output.ts';
import { epochMs } from './frames.ts';
import { bootMs, zoneOffsetMs } from './host.ts';
import { nginxProcesses, parseErrorLog, parseNginxFiles, parseNginxTest, type TimedFile } from './nginx-output.ts';
import { type HostRound, look, read, say } from './probe.ts';
import { quote, type Section } from './script.ts';
import { parseProcesses, type SeenProcess } from './service-output.ts';

/** Where nginx is looked for. */
export interface NginxPlace {
  /** Its container, or null on the host itself. */
  readonly container: ContainerRef | null;
  /** Its main file when it is not the usual one (a private nginx of `viworks up`). */
  readonly entry: string | null;
}

/** Lines of the error log are at most a few hundred bytes: 16 kB hold the last hundred. */
const LOG_BYTES = 16 * 1024;

/**
 * Shell functions: `nginx_conf` prints every file that the configuration consists of, following includes through globs as nginx does.
 * In a container the files are read through /proc/PID/root, so nothing is started in it; absolute links would lead out of it there and are
 * followed by hand. Of a stopped container only bind mounts can be read.
 */
export function nginxPrelude(place: NginxPlace): string {
  const container = place.container === null ? '' : `$(${containerName(place.container)})`;
  return `C=${container}
nginx_root() {
  R=; P=
  [ -n "$C" ] || return 0
  P=$($T docker inspect -f '{{.State.Pid}}' "$C" 2>/dev/null)
  [ "\${P:-0}" -gt 0 ] && R=/proc/$P/root
}
nginx_entry() {
  E=${quote(place.entry ?? '')}
  [ -n "$E" ] && return 0
  E=$(for p in $(grep -lx nginx /proc/[0-9]*/comm 2>/dev/null | sed -n 's#/proc/\\([0-9]*\\)/.*#\\1#p'); do
    [ -z "$R" ] && tr '\\0' ' ' </proc/$p/cmdline 2>/dev/null | sed -n 's/.*master process.* -c \\([^ ]*\\).*/\\1/p'; done | head -n 1)
  [ -n "$E" ] || E=/etc/nginx/nginx.conf
}
nginx_file() {
  case "$S" in *"|$1|"*) return 0;; esac
  S="$S|$1|"
  F=$R$1
  if [ -n "$R" ] && [ -L "$F" ]; then
    L=$(readlink "$F")
    case $L in /*) F=$R$L;; *) F=\${F%/*}/$L;; esac
  fi
  printf '\\n--%s %s %s\\n' "$N" "$(mtime "$F")" "$1"
  { [ -f "$F" ] && [ -r "$F" ]; } || { echo '!unreadable'; return 0; }
  cat "$F"
  IFS='
'
  for i in $(sed 's/#.*//' "$F" | tr ';{}' '\\n\\n\\n' | sed -n 's/^[[:space:]]*include[[:space:]]\\{1,\\}//p' | tr -d "'\\""); do
    case $i in /*) g=$i;; *) g=\${E%/*}/$i;; esac
    for f in $R$g; do
      if [ -e "$f" ] || [ -L "$f" ]; then nginx_file "\${f#"$R"}"; else case $f in *[*?[]*) ;; *) nginx_file "\${f#"$R"}";; esac; fi
    done
  done
}
nginx_conf() {
  S=; nginx_root; nginx_entry
  if [ -n "$C" ] && [ -z "$R" ]; then
    $T docker inspect -f '{{range .Mounts}}{{.Source}} {{.Destination}}{{println}}{{end}}' "$C" 2>/dev/null | while read -r s d; do
      case $d in /etc/nginx*) for f in "$s" "$s"/*.conf; do
        [ -f "$f" ] && { printf '\\n--%s %s %s\\n' "$N" "$(mtime "$f")" "$d\${f#"$s"}"; cat "$f"; }; done;; esac
    done
    return 0
  fi
  [ -e "$R$E" ] || { echo "!tool there is no $E"; return 0; }
  nginx_file "$E"
}
NF=$(nginx_conf 2>/dev/null </dev/null)`;
}

/** Sections about nginx; they need {@link nginxPrelude}. */
export const nginxSections: readonly Section[] = [
  { id: 'nginx.files', title: "nginx's configuration", capBytes: 512 * 1024, body: `printf '%s\\n' "$NF"` },
  {
    id: 'nginx.processes',
    title: "nginx's processes",
    body: `for p in $(grep -lx nginx /proc/[0-9]*/comm 2>/dev/null | sed -n 's#/proc/\\([0-9]*\\)/.*#\\1#p' | head -n 64); do
  echo "--pid $p"; grep -E '^(State|PPid|NSpid):' /proc/$p/status 2>/dev/null
  echo "stat $(cat /proc/$p/stat 2>/dev/null)"; echo "cmdline $(tr '\\0' ' ' </proc/$p/cmdline 2>/dev/null)"
  echo cgroup; cat /proc/$p/cgroup 2>/dev/null
done
echo "--now $(cat /proc/uptime)"; getconf CLK_TCK 2>/dev/null || echo 100
if have nginx; then nginx -v 2>&1; fi`,
  },
  {
    id: 'nginx.test',
    title: 'nginx -t',
    // While nginx is down `nginx -t` would create its pid file, so it is left out: the log of the failed start says the same.
    body: `[ "$(id -u)" = 0 ] || { echo '!permission nginx -t reads the key file, which needs root'; return; }
nginx_root; nginx_entry
if [ -n "$C" ]; then
  [ -n "$R" ] || { echo '!tool its container does not run'; return; }
  have nsenter || { echo '!tool nsenter'; return; }
  $T nsenter -t "$P" -m -n -p nginx -t 2>&1; return
fi
have nginx || { echo '!tool nginx'; return; }
grep -qlx nginx /proc/[0-9]*/comm 2>/dev/null || { echo '!tool nginx does not run, and testing would create its pid file'; return; }
$T nginx -t -c "$E" 2>&1`,
  },
  {
    id: 'nginx.error-log',
    title: "nginx's error log",
    body: `nginx_root
for l in $(printf '%s\\n' "$NF" | sed -n 's/^[[:space:]]*error_log[[:space:]]\\{1,\\}\\([^ ;]*\\).*/\\1/p' | sort -u | head -n 4); do
  case $l in /dev/*|stderr) continue;; /*) ;; *) l=/usr/share/nginx/$l;; esac
  [ -L "$R$l" ] && [ ! -f "$R$l" ] && continue
  if [ -f "$R$l" ] && [ -r "$R$l" ]; then printf '\\n--file %s\\n' "$l"; tail -c ${LOG_BYTES} "$R$l"; elif [ -e "$R$l" ] || [ ! -x "\${l%/*}" ]; then echo "!permission $l is not readable"; fi
done`,
  },
  {
    id: 'nginx.certificates',
    title: 'certificate files',
    body: `nginx_root
for c in $(printf '%s\\n' "$NF" | sed -n 's/^[[:space:]]*ssl_certificate[[:space:]]\\{1,\\}\\([^ ;]*\\).*/\\1/p' | sort -u | head -n 8); do
  [ -f "$R$c" ] && [ -r "$R$c" ] && { printf '\\n--file %s %s\\n' "$(mtime "$R$c")" "$c"; sed -n '/BEGIN CERT/,/END CERT/p' "$R$c"; }
done`,
  },
];

/** Facts about nginx. `container` is its row of the docker section when it runs in one. */
export function nginxFacts(
  round: HostRound,
  about: { nonce: string; inContainer: boolean; container: Container | null; startedMs: number | null },
): readonly Fact[] {
  const { nonce, inContainer, container } = about;
  const files = read(look(round, 'nginx.files'), (text) => parseNginxFiles(text, nonce));
  const seen = processesOf(round);
  const own = seen.filter((item) =>
    inContainer
      ? item.unit?.startsWith('docker-') && sameContainer(item, container)
      : item.innerPid === item.pid && !item.unit?.startsWith('docker-'),
  );
  const version = /nginx version: nginx\/(\S+)/.exec(round.sections.get('nginx.processes')?.text ?? '')?.[1] ?? null;
  const processes = read(look(round, 'nginx.processes'), () => nginxProcesses(own, inContainer ? null : version));
  const startedAt = newestStart(processes.status === 'known' ? processes.value.workers : []);
  return [
    say(round, { key: 'nginx.files', section: 'nginx.files', command: 'nginx -T', lines: [], reading: files }),
    say(round, {
      key: 'nginx.processes',
      section: 'nginx.processes',
      command: 'ps -C nginx -o pid,lstart,args',
      lines: own.map((item) => `${item.pid} ${item.commandLine}`),
      reading: processes,
    }),
    say(round, {
      key: 'nginx.test',
      section: 'nginx.test',
      command: 'nginx -t',
      reading: read(look(round, 'nginx.test'), parseNginxTest),
    }),
    errorLogFact(round, startedAt ?? about.startedMs, inContainer),
    certificateFact(round),
  ];
}

function sameContainer(item: SeenProcess, container: Container | null): boolean {
  return container === null || item.unit === `docker-${container.id}.scope`;
}

function processesOf(round: HostRound): readonly SeenProcess[] {
  const text = (round.sections.get('nginx.processes')?.text ?? '').replace(/\nnginx version:.*/s, '');
  return parseProcesses(text, { later: '', bootMs: bootMs(round) });
}

function newestStart(
  workers: readonly { readonly startedAtMs: number | null; readonly shuttingDown: boolean }[],
): number | null {
  const starts = workers.flatMap((worker) =>
    worker.startedAtMs === null || worker.shuttingDown ? [] : [worker.startedAtMs],
  );
  return starts.length > 0 ? Math.max(...starts) : null;
}

function errorLogFact(round: HostRound, sinceMs: number | null, inContainer: boolean): Fact {
  const zoneMs = zoneOffsetMs(round);
  const fromFile = read(look(round, 'nginx.error-log'), (text) =>
    parseErrorLog(text, { zoneMs, sinceMs, cutAtBytes: LOG_BYTES }),
  );
  // In a container the error log usually is its stderr, and then Docker keeps it.
  const inDocker = inContainer && (fromFile.status !== 'known' || fromFile.value.lines.length === 0);
  const fromDocker = (text: string): LogTail => {
    const all = parseDockerLog(text, sinceMs);
    return { ...all, lines: all.lines.filter((line) => /\[(emerg|alert|crit|error|warn)\]/.test(line.text)) };
  };
  const section = inDocker ? 'log.tail.nginx' : 'nginx.error-log';
  const reading = inDocker ? read(look(round, section), fromDocker) : fromFile;
  return say(round, {
    key: 'log.tail',
    subject: 'nginx-error',
    section,
    command: inDocker ? 'docker logs nginx' : 'tail /var/log/nginx/error.log',
    lines: reading.status === 'known' ? reading.value.lines.slice(-5).map((line) => line.text) : [],
    reading,
  });
}

function certificateFact(round: HostRound): Fact {
  const looked = look(round, 'nginx.certificates');
  const reading = read(looked, (text): TimedFile[] => timedFiles(text));
  const first = reading.status === 'known' ? reading.value[0] : undefined;
  let value: Reading<{ path: string; certificate: Certificate; mtimeMs: number }>;
  if (reading.status !== 'known') value = reading;
  else if (!first) value = unknown('no-permission', 'no certificate file could be read');
  else
    value = read({ ok: true, text: first.text, rc: 0, truncated: false }, (pem) => ({
      path: first.path,
      certificate: describeCertificate(new X509Certificate(pem)),
      mtimeMs: first.mtimeMs,
    }));
  return say(round, {
    key: 'tls.disk-certificate',
    section: 'nginx.certificates',
    command: `openssl x509 -noout -dates -serial -in ${first?.path ?? 'FILE'}`,
    lines:
      value.status === 'known'
        ? [
            `${value.value.path}: serial ${value.value.certificate.serial}, until ${new Date(value.value.certificate.notAfterMs).toISOString()}`,
          ]
        : [],
    reading: value,
  });
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

/** Facts for an installation without nginx. */
export function withoutNginx(round: HostRound, why: string): readonly Fact[] {
  return (['nginx.files', 'nginx.processes', 'nginx.test', 'tls.disk-certificate'] as const).map((key) =>
    say(round, { key, section: 'nginx', command: '', reading: notApplicable(why) }),
  );
}
