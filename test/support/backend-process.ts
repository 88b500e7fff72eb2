// A backend as a process of its own, from source: for what only the death of a process shows.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname;

/** A running process. */
export interface BackendProcess {
  readonly child: ChildProcess;
  readonly api: string;
  readonly agents: string;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** Fixed ports, so that a restarted backend is found again. */
export async function freePorts(): Promise<{ api: number; agents: number }> {
  const [api, agents] = await Promise.all([freePort(), freePort()]);
  return { api: api ?? 0, agents: agents ?? 0 };
}

/** Starts a backend and waits until it is healthy. */
export async function spawnBackend(directory: string, ports: { api: number; agents: number }): Promise<BackendProcess> {
  const config = join(directory, 'backend.toml');
  await writeFile(config, `state_dir = "${directory}"\n[api]\nport = ${ports.api}\n[agents]\nport = ${ports.agents}\n`);
  const child = spawn(process.execPath, [join(ROOT, 'cli/main.ts'), 'backend', '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '' },
  });
  const log = createWriteStream(join(directory, 'backend.log'), { flags: 'a' });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
  const api = `http://127.0.0.1:${ports.api}`;
  while (child.exitCode === null) {
    const healthy = await fetch(`${api}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (healthy) return { child, api, agents: `ws://127.0.0.1:${ports.agents}/ws/agent`, exited };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`the backend ended with ${child.exitCode}; its log is ${directory}/backend.log`);
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
