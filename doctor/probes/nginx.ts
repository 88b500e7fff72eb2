// nginx on the backend's host or in its container: configuration files with their includes, the processes, its own verdict, error log, certificates.

import { X509Certificate } from 'node:crypto';
import { quoteWord } from '../../agents/runtime/index.ts';
import { type Certificate, type Container, type Fact, notApplicable, unknown } from '../engine/index.ts';
import type { Ask, NginxPlace } from './ask.ts';
import { defineProbe, type Probe } from './define-probe.ts';
import { containerLogsProbe, containerName, containersIn, findContainer, logWindow } from './docker.ts';
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
import { type HostRound, look, read, say } from './probe.ts';
import type { Section } from './script.ts';
import { parseProcesses, type SeenProcess } from './service-output.ts';
import { seenUnits } from './services.ts';

/**
 * Shell functions. `nginx_pids` prints nginx's processes: masters are the unit's main process and what root runs, workers are their
 * children or in the unit's cgroup, and the program of each is a file that only root can change, as far as it can be seen; what others
 * call nginx is not examined. `nginx_conf` prints every file that the configuration consists of, following includes through globs as
 * nginx does; each file goes through `take`. In a container the files are read through /proc/PID/root, so nothing is started in it;
 * absolute links would lead out of it there and are followed by hand. Of a stopped container only bind mounts can be read.
 */
export function nginxPrelude(place: NginxPlace): string {
  const container = place.container === null ? ':' : containerName(place.container);
  return `C=$( { ${container}; } 9>&1 )
NU=${quoteWord(place.unit ?? '')} NE=${quoteWord(place.entry ?? '')}
nginx_root() {
  R=; P=
  [ -n "$C" ] || return 0
  P=$($T docker inspect -f '{{.State.Pid}}' "$C" 2>/dev/null)
  [ "\${P:-0}" -gt 0 ] && R=/proc/$P/root
}
nginx_proven() {
  for p in $1; do
    program_of "$p"
    case $? in 0) case \${x##*/} in nginx*|openresty) echo "$p";; esac;; 2) echo "$p";; esac
  done
}
nginx_pids() {
  set -- $(grep -lx nginx /proc/[0-9]*/comm 2>/dev/null | sed 's/comm$/status/')
  [ $# -gt 0 ] || return 0
  if [ -n "$C" ]; then
    i=$($T docker inspect -f '{{.Id}}' "$C" 2>/dev/null)
    [ -n "$i" ] && grep -l "$i" $(echo "$@" | sed 's/status/cgroup/g') 2>/dev/null | tr -dc '0-9\\n' | head -n 64
    return 0
  fi
  m=; [ -n "$NU" ] && have systemctl && m=$($T systemctl show --no-pager -p MainPID "$NU" 2>/dev/null | sed -n 's/^MainPID=//p')
  o=0; [ -n "$NE" ] && o="0|$ME"
  q="$(echo "$@" | tr ' ' '\\n' | grep -x "/proc/\${m:-0}/status") $(grep -lE "^Uid:[[:space:]]+($o)[[:space:]]" "$@" 2>/dev/null)"
  q=$(nginx_proven "$(echo "$q" | tr -dc '0-9\\n ' | head -n 32)")
  [ -n "$q" ] || return 0
  w=$(grep -lE "^PPid:[[:space:]]+($(echo $q | tr ' ' '|'))$" "$@" 2>/dev/null | tr -dc '0-9\\n')
  [ -n "$NU" ] && w="$w $(grep -lE "^(0:|[0-9]+:name=systemd):.*/system.slice/$NU$" $(echo "$@" | sed 's/status/cgroup/g') 2>/dev/null | tr -dc '0-9\\n')"
  w=$(nginx_proven "$(echo $w | tr ' ' '\\n' | head -n 64)")
  for p in $q $w; do echo "$p"; done | sort -un
}
nginx_entry() {
  E=$NE
  [ -n "$E" ] && return 0
  E=$([ -n "$C" ] || for p in $NP; do
    grep -q '^NSpid:.*[0-9][[:space:]][[:space:]]*[0-9]' "/proc/$p/status" && continue
    # A worker may write anything over its own arguments; the master's are root's, or ours.
    case $(uid_of "$p") in 0|"$ME") ;; *) continue;; esac
    tr '\\0' ' ' </proc/$p/cmdline 2>/dev/null | sed -n 's/.*master process.* -c \\([^ ]*\\).*/\\1/p'; done | head -n 1)
  [ -n "$E" ] || E=/etc/nginx/nginx.conf
}
# The user that nginx's workers run as: what lies in his directories is read only as far as he could read it.
nginx_user() {
  for p in $NP; do tr '\\0' ' ' </proc/$p/cmdline 2>/dev/null | grep -q '^nginx: worker' && { uid_of "$p"; return; }; done
  printf '%s\\n' "$NF" | sed -n 's/^[[:space:]]*user[[:space:]]\\{1,\\}\\([^ ;]*\\).*/\\1/p' | head -n 1
}
# Prints the file $2 under the name $1. $3: somebody other than root named it; $4: the name that is told when it is not read.
nginx_show() {
  b=$(take "$2" "$W" "$P" all 0 "$3")
  case $b in
    +*) m=$(printf '%s\\n' "$b" | head -n 1); printf '\\n--%s %s %s\\n' "$N" "$(echo "$m" | sed 's/^+//; s/ .*//')" "$1"; printf '%s\\n' "$b" | sed 1d;;
    *) printf '\\n--%s - %s\\n!unreadable %s\\n' "$N" "\${4:-$1}" "\${b#!refused }"; b=; m=;;
  esac
}
nginx_file() {
  case "$S" in *"|$1|"*) return 0;; esac
  S="$S|$1|"
  F=$R$1
  if [ -n "$R" ] && [ -L "$F" ]; then
    L=$(readlink "$F")
    case $L in /*) F=$R$L;; *) F=\${F%/*}/$L;; esac
  fi
  nginx_show "$1" "$F" "$2" "$3"
  [ -n "$b" ] || return 0
  # Positional parameters are the only local ones: what follows calls itself.
  if [ -n "$P" ] || [ "\${m##* }" = 0 ]; then set -- "$1" "$2"; else set -- "$1" by; fi
  IFS='
'
  for i in $(printf '%s\\n' "$b" | sed 1d | sed 's/#.*//' | tr ';{}' '\\n\\n\\n' | sed -n 's/^[[:space:]]*include[[:space:]]\\{1,\\}//p' | tr -d "'\\""); do
    case $i in /*) set -- "$1" "$2" "$i";; *) set -- "$1" "$2" "\${E%/*}/$i";; esac
    for f in $R$3; do
      if [ -e "$f" ] || [ -L "$f" ]; then nginx_file "\${f#"$R"}" "$2" "$3"; else case $f in *[*?[]*) ;; *) nginx_file "\${f#"$R"}" "$2" "$3";; esac; fi
    done
  done
}
nginx_conf() {
  S=; nginx_root; W=$(nginx_user); nginx_entry
  if [ -n "$C" ] && [ -z "$R" ]; then
    P=
    $T docker inspect -f '{{range .Mounts}}{{.Source}}{{"\\t"}}{{.Destination}}{{println}}{{end}}' "$C" 2>/dev/null | while IFS="$(printf '\\t')" read -r s d; do
      case $d in /etc/nginx*) for f in "$s" "$s"/*.conf; do [ -f "$f" ] && nginx_show "$d\${f#"$s"}" "$f"; done;; esac
    done
    return 0
  fi
  [ -e "$R$E" ] || { echo "!tool there is no $E"; return 0; }
  nginx_file "$E"
}
NP=$( { nginx_pids </dev/null; } 9>&1 )
NF=$( { nginx_conf 2>/dev/null </dev/null; } 9>&1 )
# What was cut short here is cut short in every section that stands on it.
nginx_whole() { case $C$NP$NF in *"$H"*) halved;; esac; }`;
}

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
