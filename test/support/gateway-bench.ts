// Starts the real launcher and the real gateway agent in a folder of their own, as processes, and ends every one of them again.
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** A launcher and a gateway on this machine. */
export interface GatewayBench extends AsyncDisposable {
  readonly dir: string;
  readonly tasksDir: string;
  readonly launcherSocket: string;
  readonly log: () => string;
  readonly launcherPid: number;
  readonly gatewayPid: number;
  /** Whether the launcher has a cgroup of its own, as under systemd with Delegate=yes. */
  readonly cgroup: boolean;
  startLauncher(): Promise<void>;
  startGateway(): Promise<void>;
  /** Sends a signal and waits for the end. */
  endGateway(signal: NodeJS.Signals): Promise<number | null>;
  endLauncher(signal: NodeJS.Signals): Promise<void>;
  /** Port of the local API. */
  apiPort(): number;
}

const ROOT = resolve(import.meta.dirname, '../..');
const UNIFIED = readFileSync('/proc/self/mountinfo', 'utf8').match(/ (\/\S+) .* - cgroup2 /)?.[1];

/** Creates the folder and the configuration; starts nothing. */
export function createGatewayBench(options: {
  readonly url: string;
  readonly gatewayId?: string;
  readonly token?: string;
  readonly trustFile?: string;
  /** Puts the launcher into a cgroup made for it; needs root. */
  readonly cgroup?: boolean;
  readonly taskUser?: string;
  /** Somewhere else than in the bench's own folder, as on a disk of its own; whoever made it takes it away. */
  readonly tasksDir?: string;
  readonly extra?: string;
}): GatewayBench {
  const dir = mkdtempSync(join(tmpdir(), 'vw-gateway-'));
  const tasksDir = options.tasksDir ?? join(dir, 'tasks');
  const launcherSocket = join(dir, 'launcher.sock');
  const gatewayId = options.gatewayId ?? 'gw1';
  let log = '';
  let launcher: ChildProcess | undefined;
  let gateway: ChildProcess | undefined;
  const group =
    options.cgroup === true && UNIFIED !== undefined
      ? join(UNIFIED, `vw-test-${process.pid}-${Date.now()}`)
      : undefined;
  writeFileSync(join(dir, 'token'), options.token ?? `good-token-${gatewayId}`);
  writeFileSync(
    join(dir, 'gateway.toml'),
    [
      `gateway_id = "${gatewayId}"`,
      `url = "${options.url}"`,
      `state_dir = "${dir}/state"`,
      `enrolment_token_file = "${dir}/token"`,
      `launcher_socket = "${launcherSocket}"`,
      `tasks_dir = "${tasksDir}"`,
      ...(options.trustFile === undefined ? [] : [`trust_file = "${options.trustFile}"`]),
      options.extra ?? '',
      '[local_api]',
      'port = 0',
    ].join('\n'),
  );
  if (group !== undefined) mkdirSync(group);

  const all: ChildProcess[] = [];

  function program(command: readonly string[]): ChildProcess {
    const child = spawn(command[0] as string, command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: dir },
    });
    all.push(child);
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (part: Buffer) => {
        log += part.toString();
      });
    return child;
  }

  async function said(child: ChildProcess, text: string): Promise<void> {
    const from = log.length;
    await new Promise<void>((done, fail) => {
      const look = (): void => {
        if (!log.slice(Math.max(0, from - 4096)).includes(text)) return;
        child.stdout?.off('data', look);
        done();
      };
      child.stdout?.on('data', look);
      child.once('exit', (code) => fail(new Error(`ended with ${code} before it said "${text}":\n${log.slice(from)}`)));
      child.once('error', fail);
    });
  }

  async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<number | null> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const gone = new Promise<number | null>((done) => child.once('exit', done));
    child.kill(signal);
    return gone;
  }

  const bench: GatewayBench = {
    dir,
    tasksDir,
    launcherSocket,
    cgroup: group !== undefined,
    log: () => log,
    get launcherPid() {
      return launcher?.pid ?? 0;
    },
    get gatewayPid() {
      return gateway?.pid ?? 0;
    },
    async startLauncher() {
      const script = join(ROOT, 'agents/gateway/launcher/launcher.pl');
      const line = ['/usr/bin/perl', script, '--socket', launcherSocket, '--tasks-dir', tasksDir];
      if (options.taskUser !== undefined) line.push('--task-user', options.taskUser);
      const inGroup = ['/bin/sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', group ?? '', ...line];
      launcher = program(group === undefined ? line : inGroup);
      await said(launcher, 'launcher listening');
    },
    async startGateway() {
      log += '\n--- gateway start\n';
      gateway = program([
        process.execPath,
        join(ROOT, 'cli/main.ts'),
        'gateway',
        '--config',
        join(dir, 'gateway.toml'),
      ]);
      await said(gateway, '"gateway ready"');
    },
    endGateway: (signal) => end(gateway, signal),
    endLauncher: async (signal) => void (await end(launcher, signal)),
    apiPort() {
      const all = [...log.matchAll(/"port":(\d+),"msg":"local API listening"/g)];
      return Number(all.at(-1)?.[1]);
    },
    async [Symbol.asyncDispose]() {
      await end(gateway, 'SIGKILL');
      // Also one that a test has replaced or that was refused.
      for (const child of all) await end(child, 'SIGTERM');
      endTasks(tasksDir, group);
      await removeSoon(dir, group);
    },
  };
  return bench;
}

// A test that failed may leave tasks: their waiters and leaders are ended by the numbers in their own records.
function endTasks(tasksDir: string, group: string | undefined): void {
  if (group !== undefined && existsSync(join(group, 'cgroup.kill'))) writeFileSync(join(group, 'cgroup.kill'), '1');
  if (!existsSync(tasksDir)) return;
  for (const id of readdirSync(tasksDir)) {
    const read = (name: string): string => {
      try {
        return readFileSync(join(tasksDir, id, name), 'utf8');
      } catch {
        return '';
      }
    };
    if (read('rc') !== '') continue;
    const leader = Number(/^pid=(\d+)$/m.exec(read('pid'))?.[1] ?? 0);
    for (const pid of [leader, Number(read('waiter').split(' ')[0] ?? 0)]) endIfOurs(pid, id);
  }
}

function endIfOurs(pid: number, id: string): void {
  try {
    const told = readFileSync(`/proc/${pid}/environ`, 'utf8') + readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    if (pid > 1 && told.includes(id)) process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

async function removeSoon(dir: string, group: string | undefined): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      rmSync(dir, { recursive: true, force: true });
      if (group !== undefined && existsSync(group)) {
        for (const name of readdirSync(group, { withFileTypes: true }))
          if (name.isDirectory()) rmdirSync(join(group, name.name));
        rmdirSync(group);
      }
      return;
    } catch (error) {
      if (attempt > 100) throw error;
      await new Promise((done) => setTimeout(done, 20)); // the kernel takes dead processes out of a group a moment later
    }
  }
}
