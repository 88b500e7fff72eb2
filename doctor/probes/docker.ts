// Containers: what the engine says of them, and who listens inside, read from /proc of their main processes. Starts nothing in them.
import { quoteWord } from '../../agents/runtime/index.ts';
import { type Container, type Fact, type Listener, notApplicable, unknown, type Vantage } from '../engine/index.ts';
import { innerProcesses, parseContainers, parseDockerLog, parseInnerSockets } from './docker-output.ts';
import { bootMs } from './host.ts';
import { type HostRound, look, read, say } from './probe.ts';
import type { Section } from './script.ts';
import { parseProcesses, type SeenProcess } from './service-output.ts';
import { processState } from './services.ts';
import { namespaceListeners } from './sockets.ts';

// Docker's client would start an engine that waits behind its socket unit: it is only asked when it runs already.
const guard = `have docker || { echo '!absent this host has no docker'; return; }
if [ -d /run/systemd/system ] && [ "$($T systemctl show -p ActiveState --value docker.service)" != active ]; then echo '!tool the docker engine does not run'; return; fi`;

const template = `{{json .Id}},{{json .Name}},{{json .Config.Image}},{{json .State}},{{json .HostConfig.RestartPolicy}},{{json .RestartCount}},{{json .HostConfig.NetworkMode}},{{json .NetworkSettings}}`;

export const containersSection: Section = {
  id: 'docker.containers',
  title: 'containers',
  capBytes: 256 * 1024,
  body: `${guard}
i=$($T docker ps -aq --no-trunc 2>&1) || { case $i in *"permission denied"*) echo '!permission the docker socket needs root or the group docker';; *) echo "!tool $i";; esac; return; }
[ -n "$i" ] || return 0
$T docker inspect -f '[${template}]' $(echo "$i" | head -n 40)`,
};

export const innerSection: Section = {
  id: 'docker.inside',
  title: 'listeners inside containers',
  capBytes: 128 * 1024,
  body: `${guard}
for p in $($T docker ps -q 2>/dev/null | head -n 20 | xargs -r docker inspect -f '{{.State.Pid}}' 2>/dev/null); do
  [ -r /proc/$p/net/tcp ] || continue
  echo "--pid $p"; grep -h -E ' 0A |local_address' /proc/$p/net/tcp /proc/$p/net/tcp6 2>/dev/null
  echo "--state $p"; grep -E '^(State|PPid|NSpid):' /proc/$p/status; echo "stat $(cat /proc/$p/stat)"
  echo "cmdline $(tr '\\0' ' ' </proc/$p/cmdline)"; echo cgroup; cat /proc/$p/cgroup
done`,
};

/** A container by its name, or the first one whose name or image speaks of the part. */
export interface ContainerRef {
  readonly part: 'backend' | 'nginx' | 'gateway';
  readonly name: string | null;
}

const speaksOf = { backend: 'backend|control', nginx: 'nginx|proxy', gateway: 'gateway|agent' } as const;

/** Shell that prints the container's name. */
export function containerName({ part, name }: ContainerRef): string {
  if (name !== null) return `echo ${quoteWord(name)}`;
  return `$T docker ps -a --format '{{.Names}} {{.Image}}' 2>/dev/null | grep -E '${speaksOf[part]}' | head -n 1 | sed 's/ .*//'`;
}

/** The last words of a container; what belongs to its present state is decided when they are read. */
export function containerLogSection(ref: ContainerRef): Section {
  return {
    id: `log.tail.${ref.part}`,
    title: `log of the container of ${ref.part}`,
    capBytes: 48 * 1024,
    body: `${guard}
c=$(${containerName(ref)})
[ -n "$c" ] || { echo '!tool no such container'; return; }
$T docker logs -t --tail 120 "$c" 2>&1`,
  };
}

/** A part that is meant to run in a container. */
export interface PartContainer {
  readonly part: ContainerRef['part'];
  /** Its name when the inventory gives one; else a row whose name or image speaks of the part. */
  readonly name: string | null;
  readonly ports: readonly number[];
  readonly vantage: Vantage;
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

export function containersIn(round: HostRound): readonly Container[] {
  const reading = read(look(round, 'docker.containers'), parseContainers);
  return reading.status === 'known' ? reading.value : [];
}

/** Main processes of the containers, as the host sees them. */
export function innerProcessesOf(round: HostRound): readonly SeenProcess[] {
  return parseProcesses(innerProcesses(round.sections.get('docker.inside')?.text ?? ''), {
    later: '',
    bootMs: bootMs(round),
  });
}

/** Facts about containers, their processes, logs and inner listeners. */
export function dockerFacts(
  round: HostRound,
  parts: readonly PartContainer[],
  processes: readonly SeenProcess[],
): readonly Fact[] {
  const reading = read(look(round, 'docker.containers'), parseContainers);
  const all = reading.status === 'known' ? reading.value : [];
  return [
    say(round, {
      key: 'docker.containers',
      section: 'docker.containers',
      command: 'docker ps -a',
      lines: all.map(rowText),
      reading,
    }),
    ...parts.flatMap((part) =>
      partFacts(round, { part, row: findContainer(all, part), processes, readable: reading.status === 'known' }),
    ),
  ];
}

interface PartRow {
  readonly part: PartContainer;
  readonly row: Container | null;
  readonly processes: readonly SeenProcess[];
  readonly readable: boolean;
}

function partFacts(round: HostRound, { part, row, processes, readable }: PartRow): readonly Fact[] {
  const facts: Fact[] = [];
  const seen = processes.find((item) => item.pid === row?.pid);
  const running = row?.state === 'running' && row.pid !== null;
  const process = !readable
    ? unknown('no-permission', 'containers could not be listed')
    : running && seen
      ? { status: 'known' as const, value: processState(seen) }
      : running
        ? unknown('unparsed', 'its process could not be read')
        : { status: 'known' as const, value: { running: false as const } };
  facts.push(
    say(round, {
      key: 'process.state',
      subject: part.part,
      section: 'docker.inside',
      command: `docker top ${row?.name ?? part.name ?? part.part}`,
      lines: seen ? [`pid ${seen.pid}: State ${seen.state}`, seen.commandLine] : [],
      reading: process,
    }),
    logFact(round, part, row),
  );
  if (part.part !== 'nginx' && part.part !== 'backend') return facts;
  if (row?.networkMode === 'host') {
    facts.push(
      say(round, {
        key: 'tcp.listeners',
        vantage: part.vantage,
        section: 'docker.inside',
        command: '',
        reading: notApplicable('this container uses the network of the host'),
      }),
    );
    return facts;
  }
  const inner = row?.pid ? parseInnerSockets(round.sections.get('docker.inside')?.text ?? '', row.pid) : null;
  if (inner !== null && row?.pid) {
    facts.push(
      namespaceListeners(round, { section: 'docker.inside', vantage: part.vantage, pid: row.pid, text: inner }),
    );
  } else {
    const nobody: readonly Listener[] = [];
    facts.push(
      say(round, {
        key: 'tcp.listeners',
        vantage: part.vantage,
        section: 'docker.inside',
        command: 'docker ps -a',
        // Where the container does not run, nobody listens in it: that is known.
        reading:
          readable && !running
            ? { status: 'known', value: nobody }
            : unknown('no-permission', 'sockets of the container are not visible'),
      }),
    );
  }
  return facts;
}

function logFact(round: HostRound, part: PartContainer, row: Container | null): Fact {
  const section = `log.tail.${part.part}`;
  const reading = read(look(round, section), (text) => parseDockerLog(text, logWindow(row, round.atMs)));
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
