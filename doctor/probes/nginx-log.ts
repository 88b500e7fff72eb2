// nginx's error log, looked at twice: with everything else, and once more after our own dials, for only what was written in between. A line of
// the second look is nginx's own word about what those dials met.
import { quoteWord } from '../../agents/runtime/index.ts';
import { type Fact, known, type LogLine, type LogTail, type Reading } from '../engine/index.ts';
import { parseDockerLog } from './docker-output.ts';
import { zoneOffsetMs } from './host.ts';
import { errorLogPlaces, type LogPlace, parseErrorLog } from './nginx-output.ts';
import { type HostRound, lookAtTail, readTail, say } from './probe.ts';

/** Lines of the error log are at most a few hundred bytes: 16 kB hold the last hundred. */
const LOG_BYTES = 16 * 1024;

/** Of up to four of them, with their names, in bytes. */
export const LOG_CAP_BYTES = 5 * LOG_BYTES;

/** Sections that hold it: of files, and of a container's stderr. */
export const ERROR_LOG = 'nginx.error-log';
export const DOCKER_LOG = 'log.tail.nginx';

/** The files that the configuration names; of those in `seen` only what was written since. Needs the prelude of nginx. */
export const errorLogScript = (seen: readonly LogPlace[]): string => `nginx_whole; nginx_root; w=$(nginx_user)
for l in $(printf '%s\\n' "$NF" | sed -n 's/^[[:space:]]*error_log[[:space:]]\\{1,\\}\\([^ ;]*\\).*/\\1/p' | sort -u | head -n 4); do
  case $l in /dev/*|stderr) continue;; /*) ;; *) l=/usr/share/nginx/$l;; esac
  [ -L "$R$l" ] && [ ! -f "$R$l" ] && continue
  [ -e "$R$l" ] || { [ -x "\${l%/*}" ] || echo "!permission $l is not readable"; continue; }
  k=
  for e in ${seen.map(({ path, inode, size }) => quoteWord(`${path}|${inode} ${size}`)).join(' ')}; do case $e in "$l|"*) k=\${e#"$l|"};; esac; done
  b=$(take "$R$l" "$w" "$P" tail "${LOG_BYTES} $k")
  case $b in +*) printf '\\n--file %s %s\\n' "$l" "$(printf '%s\\n' "$b" | sed 's/^[^ ]* [^ ]* //; q')"; printf '%s\\n' "$b" | sed 1d;; *) echo "!permission $l was not read: \${b#!refused }";; esac
done`;

/** The files that a round has read, as far as it could. */
export function seenLogs(round: HostRound): readonly LogPlace[] {
  const looked = lookAtTail(round, ERROR_LOG);
  return looked.ok ? errorLogPlaces(looked.text) : [];
}

export interface LogWindow {
  /** When the workers that run now began. */
  readonly sinceMs: number | null;
  readonly inContainer: boolean;
}

/** The first look. */
export function errorLogFact(round: HostRound, about: LogWindow): Fact {
  const { section, reading } = readLog(round, about);
  return logFact(round, { section, reading });
}

/** Both looks as one log; null where one of them saw nothing. */
export function errorLogAgainFact(first: HostRound, second: HostRound, about: LogWindow): Fact | null {
  const before = readLog(first, about);
  const { section, reading } = readLog({ ...second, sections: withClock(first, second) }, about);
  if (before.reading.status !== 'known' || reading.status !== 'known' || before.section !== section) return null;
  const newest = before.reading.value.lines.at(-1);
  // Docker numbers nothing, but its times have nanoseconds and never go back.
  const isNew = ({ atMs }: LogLine): boolean =>
    section === ERROR_LOG || newest === undefined || (atMs ?? 0) > (newest.atMs ?? 0);
  const late = reading.value.lines.filter(isNew).map((line) => ({ ...line, late: true as const }));
  const tail: LogTail = { ...before.reading.value, lines: [...before.reading.value.lines, ...late], again: true };
  return logFact(second, { section, reading: known(tail) });
}

/** Which log it is, and what it says. */
function readLog(
  round: HostRound,
  { sinceMs, inContainer }: LogWindow,
): { section: string; reading: Reading<LogTail> } {
  const zoneMs = zoneOffsetMs(round);
  const fromFile = readTail(lookAtTail(round, ERROR_LOG), (text, cut) =>
    parseErrorLog(text, { zoneMs, sinceMs, cut, cutAtBytes: LOG_BYTES }),
  );
  // In a container the error log usually is its stderr, and then Docker keeps it.
  const inDocker = inContainer && (fromFile.status !== 'known' || fromFile.value.lines.length === 0);
  if (!inDocker) return { section: ERROR_LOG, reading: fromFile };
  const reading = readTail(lookAtTail(round, DOCKER_LOG), (text, cut): LogTail => {
    const all = parseDockerLog(text, { sinceMs, cut });
    return { ...all, lines: all.lines.filter((line) => /\[(emerg|alert|crit|error|warn)\]/.test(line.text)) };
  });
  return { section: DOCKER_LOG, reading };
}

/** The zone of the host was asked for in the first round. */
function withClock(first: HostRound, second: HostRound): HostRound['sections'] {
  return first.sections.overlaid(second.sections, [ERROR_LOG, DOCKER_LOG]);
}

function logFact(round: HostRound, of: { readonly section: string; readonly reading: Reading<LogTail> }): Fact {
  const { section, reading } = of;
  return say(round, {
    key: 'log.tail',
    subject: 'nginx-error',
    section,
    command: section === DOCKER_LOG ? 'docker logs nginx' : 'tail /var/log/nginx/error.log',
    lines: reading.status === 'known' ? reading.value.lines.slice(-5).map((line) => line.text) : [],
    reading,
  });
}
