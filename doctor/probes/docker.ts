// Containers: what the engine says of them, and who listens inside, read from /proc of their main processes. Starts nothing in them.
import { quoteWord } from '../../agents/runtime/index.ts';
import {
  type Container,
  type Fact,
  known,
  type Listener,
  notApplicable,
  type Reading,
  type Unknown,
  unknown,
  type Vantage,
} from '../engine/index.ts';
import type { Ask, ContainerRef, PartContainer } from './ask.ts';
import { defineProbe } from './define-probe.ts';
import { innerProcesses, parseContainers, parseDockerLog, parseInnerSockets, parseReplaced } from './docker-output.ts';
import { bootMs } from './host.ts';
import { type HostRound, look, lookAtTail, read, readTail, say } from './probe.ts';
import { processState } from './processes.ts';
import type { Section } from './script.ts';
import { parseProcesses } from './service-output.ts';
import { namespaceListeners } from './sockets.ts';

// Docker's client would start an engine that waits behind its socket unit: it is only asked when it runs already.
const guard = `have docker || { echo '!absent this host has no docker'; return; }
if [ -d /run/systemd/system ] && [ "$($T systemctl show -p ActiveState --value docker.service)" != active ]; then echo '!tool the docker engine does not run'; return; fi`;

const template = `{{json .Id}},{{json .Name}},{{json .Config.Image}},{{json .State}},{{json .HostConfig.RestartPolicy}},{{json .RestartCount}},{{json .HostConfig.NetworkMode}},{{json .NetworkSettings}}`;

export const containersProbe = defineProbe({
  id: 'docker.containers',
  title: 'containers',
  seats: ['be'],
  capBytes: 256 * 1024,
  absent: unlessDocker,
  script: `${guard}
i=$($T docker ps -aq --no-trunc 2>&1) || { case $i in *"permission denied"*) echo '!permission the docker socket needs root or the group docker';; *) echo "!tool $i";; esac; return; }
[ -n "$i" ] || return 0
$T docker inspect -f '[${template}]' $(echo "$i" | first 40)`,
  key: 'docker.containers',
  command: 'docker ps -a',
  lines: (rows) => rows.map(rowText),
  reading: (round, { containers }) =>
    containers.length === 0 ? notApplicable('no part runs in a container') : containerReading(round),
});

/** The kernel marks a mount whose file is no longer there under its name. */
export const replacedProbe = defineProbe({
  id: 'docker.replaced',
  title: 'files in containers that were replaced on the host',
  seats: ['be'],
  absent: unlessDocker,
  script: `${guard}
for p in $($T docker ps -q 2>/dev/null | first 40 | xargs -r docker inspect -f '{{.State.Pid}}' 2>/dev/null); do
  [ -r /proc/$p/mountinfo ] || { echo '!permission the mounts of a container need root'; return; }
  grep -F '//deleted ' /proc/$p/mountinfo | sed "s/^/$p /"
done; true`,
  key: 'docker.replaced',
  command: 'grep -H //deleted /proc/[0-9]*/mountinfo',
  parse: parseReplaced,
});

/** Who listens inside, and the main processes of the containers, as the host sees them. */
export const insideSection: Section = {
  id: 'docker.inside',
  title: 'listeners inside containers',
  capBytes: 128 * 1024,
  body: `${guard}
for p in $($T docker ps -q 2>/dev/null | first 40 | xargs -r docker inspect -f '{{.State.Pid}}' 2>/dev/null); do
  [ -r /proc/$p/net/tcp ] || continue
  echo "--pid $p"; grep -h -E ' 0A |local_address' /proc/$p/net/tcp /proc/$p/net/tcp6 2>/dev/null
  echo "--state $p"; grep -E '^(State|PPid|NSpid):' /proc/$p/status; echo "stat $(cat /proc/$p/stat)"
  echo "cmdline $(tr '\\0' ' ' </proc/$p/cmdline)"; echo cgroup; cat /proc/$p/cgroup
done`,
};

export const insideProbe = defineProbe({
  id: insideSection.id,
  seats: ['be'],
  sections: ({ docker }) => (docker ? [insideSection] : []),
  facts: (round, { containers }) => [
    ...containers.flatMap((part) => {
      const seen = seenContainer(round, part);
      return part.part === 'gateway' ? [processFact(seen)] : [processFact(seen), innerListeners(seen)];
    }),
    ...(['be/ns:nginx', 'be/ns:agent'] as const)
      .filter((vantage) => containers.every((part) => part.vantage !== vantage))
      .map((vantage) => noListeners(round, vantage, notApplicable('it runs in the network namespace of the host'))),
  ],
});

/** The last words of the containers; what belongs to their present state is decided when they are read. */
export const containerLogsProbe = defineProbe({
  id: 'docker.logs',
  seats: ['be'],
  sections: ({ containers }) =>
    containers.map((part) => ({
      id: `log.tail.${part.part}`,
      title: `log of the container of ${part.part}`,
      capBytes: 48 * 1024,
      isTail: true,
      body: `${guard}
c=$(${containerName(part)})
[ -n "$c" ] || { echo '!tool no such container'; return; }
$T docker logs -t --tail 120 "$c" 2>&1`,
    })),
  facts: (round, { containers }) => containers.map((part) => logFact(round, part, seenContainer(round, part).row)),
});

function unlessDocker({ docker }: Ask): string | null {
  return docker ? null : 'no part runs in a container';
}

const speaksOf = { backend: 'backend|control', nginx: 'nginx|proxy', gateway: 'gateway|agent' } as const;

/** Shell that prints the container's name. */
export function containerName({ part, name }: ContainerRef): string {
  if (name !== null) return `echo ${quoteWord(name)}`;
  return `$T docker ps -a --format '{{.Names}} {{.Image}}' 2>/dev/null | grep -E '${speaksOf[part]}' | head -n 1 | sed 's/ .*//'`;
}

/** A container that came up this recently after a restart by Docker may be in a loop, in ms. */
const LOOP_MS = 30_000;
/** How far back the run before belongs to the same loop, in ms. */
const LOOP_WINDOW_MS = 60_000;

/** Since when the log of a container speaks of its present state. */
export function logWindow(row: Container | null, nowMs: number): number | null {
  if (row === null || row.startedAtMs === null) return null;
  const young = row.state !== 'running' || nowMs - row.startedAtMs < LOOP_MS;
  return row.restartCount > 0 && young ? row.startedAtMs - LOOP_WINDOW_MS : row.startedAtMs;
}

/** The row of a part: by name, else by name or image, else by a published or inner port. */
export function findContainer(all: readonly Container[], part: PartContainer): Container | null {
  if (part.name !== null) return all.find((row) => row.name === part.name) ?? null;
  const word = new RegExp(speaksOf[part.part]);
  const named = all.filter((row) => word.test(row.name) || word.test(row.image));
  const running = (rows: readonly Container[]) => rows.find((row) => row.state === 'running') ?? rows[0];
  const published = all.filter((row) => row.ports.some((port) => part.ports.includes(port.containerPort)));
  return running(named) ?? running(published) ?? null;
}

function containerReading(round: HostRound) {
  return read(look(round, 'docker.containers'), parseContainers);
}

export function containersIn(round: HostRound): readonly Container[] {
  const reading = containerReading(round);
  return reading.status === 'known' ? reading.value : [];
}

interface SeenContainer {
  readonly round: HostRound;
  readonly part: PartContainer;
  readonly row: Container | null;
  readonly running: boolean;
  /** Why the containers, or what is inside of them, could not be seen; null where they could. */
  readonly unseen: Unknown | null;
}

function seenContainer(round: HostRound, part: PartContainer): SeenContainer {
  const reading = containerReading(round);
  const row = reading.status === 'known' ? findContainer(reading.value, part) : null;
  const running = row?.state === 'running' && row.pid !== null;
  return { round, part, row, running, unseen: unseenOf(reading) ?? (running ? insideUnseen(round) : null) };
}

function unseenOf(reading: Reading<unknown>): Unknown | null {
  if (reading.status === 'known') return null;
  return reading.status === 'unknown' ? reading : unknown('tool-missing', reading.why);
}

function insideUnseen(round: HostRound): Unknown | null {
  const inside = look(round, insideSection.id);
  return inside.ok ? null : unknown(inside.reason, inside.detail);
}

function processFact({ round, part, row, running, unseen }: SeenContainer): Fact {
  const inside = look(round, insideSection.id);
  const text = inside.ok ? innerProcesses(inside.text) : '';
  const seen = parseProcesses(text, { later: '', bootMs: bootMs(round) }).find((item) => item.pid === row?.pid);
  const process = seen ? known(processState(seen)) : unknown('unparsed', 'its process could not be read');
  return say(round, {
    key: 'process.state',
    subject: part.part,
    section: insideSection.id,
    command: `docker top ${row?.name ?? part.name ?? part.part}`,
    lines: seen ? [`pid ${seen.pid}: State ${seen.state}`, seen.commandLine] : [],
    reading: unseen ?? (running ? process : known({ running: false })),
  });
}

function innerListeners({ round, part: { vantage }, row, running, unseen }: SeenContainer): Fact {
  if (row?.networkMode === 'host')
    return noListeners(round, vantage, notApplicable('this container uses the network of the host'));
  const text = row?.pid ? innerSockets(round, row.pid) : null;
  if (text !== null && row?.pid)
    return namespaceListeners(round, { section: insideSection.id, vantage, pid: row.pid, text });
  // Where the container does not run, nobody listens in it: that is known.
  const nobody = running ? unknown('no-permission', 'sockets of the container are not visible') : known([]);
  return noListeners(round, vantage, unseen ?? nobody);
}

/** The tables of one container's own network, as text; null when they could not be read. */
export function innerSockets(round: HostRound, pid: number): string | null {
  const looked = look(round, insideSection.id);
  return looked.ok ? parseInnerSockets(looked.text, pid) : null;
}

function noListeners(round: HostRound, vantage: Vantage, reading: Reading<readonly Listener[]>): Fact {
  const command = reading.status === 'not-applicable' ? '' : 'docker ps -a';
  return say(round, { key: 'tcp.listeners', vantage, section: insideSection.id, command, lines: [], reading });
}

function logFact(round: HostRound, part: PartContainer, row: Container | null): Fact {
  const section = `log.tail.${part.part}`;
  const reading = readTail(lookAtTail(round, section), (text, cut) =>
    parseDockerLog(text, { sinceMs: logWindow(row, round.atMs), cut }),
  );
  return say(round, {
    key: 'log.tail',
    subject: part.part,
    section,
    command: `docker logs --tail 120 ${row?.name ?? part.name ?? part.part}`,
    lines: reading.status === 'known' ? reading.value.lines.slice(-5).map((line) => line.text) : [],
    reading,
  });
}

function rowText(row: Container): string {
  const ports = row.ports.map((port) => `${port.hostAddress}:${port.hostPort}→${port.containerPort}`).join(' ');
  const code = row.state === 'running' ? '' : ` (exit ${row.exitCode})`;
  return `${row.name} ${row.image} ${row.state}${code} restart=${row.restartPolicy} ${ports}`.trim();
}
