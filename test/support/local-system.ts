// `viworks up` as a fixture: real agents on free ports, everything below one temporary home.
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { buildProgram, type Outcome, type Program, type Running } from './program.ts';

/** One process of the system, as its ledger has it. */
export interface Part {
  readonly name: string;
  readonly pid: number;
  readonly startTime: string;
}

/** A home in which `up` can be started again and again. */
export interface LocalSystem extends Disposable {
  readonly program: Program;
  readonly state: string;
  readonly env: Readonly<Record<string, string>>;
  readonly portOptions: readonly string[];
  /** Starts `up` and waits until it says that it runs. */
  up(argv?: readonly string[]): Promise<Running>;
  /** Any other command, with the context that `up` made. */
  run(argv: readonly string[], options?: { stdin?: Buffer }): Promise<Outcome>;
  start(argv: readonly string[]): Running;
  parts(): readonly Part[];
  /** Processes of this system that are alive: those that mention its home. */
  alive(): string[];
}

export async function createLocalSystem(): Promise<LocalSystem> {
  const program = buildProgram();
  const home = join(program.home, 'home');
  const state = join(home, '.local/state/viworks/up');
  const [api, agents, tls, local] = await freePorts(4);
  const portOptions = [
    ...['--api-port', String(api), '--agents-port', String(agents)],
    ...['--tls-port', String(tls), '--local-port', String(local)],
  ];
  return {
    program,
    state,
    env: { HOME: home },
    portOptions,
    async up(argv = []) {
      const made = program.start(['up', ...portOptions, ...argv]);
      await made.seen(/^Running\./m);
      return made;
    },
    run: (argv, options) => program.run(argv, options),
    start: (argv) => program.start(argv),
    parts: () => (JSON.parse(readFileSync(join(state, 'processes.json'), 'utf8')) as { children: Part[] }).children,
    alive: () => processesWith(program.home),
    [Symbol.dispose]: () => program[Symbol.dispose](),
  };
}

/** Ports that nobody listens on now; held together first, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Command lines (with pid) of all live processes whose command line or environment mentions a text. */
export function processesWith(text: string): string[] {
  const pids = readdirNumbers('/proc');
  return pids.flatMap((pid) => {
    if (pid === process.pid) return [];
    const line = readProc(pid, 'cmdline').replaceAll('\0', ' ').trim();
    const found = line.includes(text) || readProc(pid, 'environ').includes(text);
    return found ? [`${pid} ${line}`] : [];
  });
}

function readdirNumbers(directory: string): number[] {
  return readdirSync(directory).flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return ''; // Gone, or somebody else's.
  }
}
