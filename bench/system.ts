// A backend, a launcher and a gateway of our own on this machine, as real processes with default settings, for the rows to measure.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = new URL('..', import.meta.url).pathname;
const main = join(root, 'dist/main.js');

/** The running system. `close` ends its processes and removes its files. */
export interface System {
  readonly url: URL;
  readonly token: string;
  readonly tokenFile: string;
  readonly gateway: string;
  readonly pids: { readonly backend: number; readonly gateway: number };
  close(): Promise<void>;
}

const GATEWAY = 'bench';

/** Starts the system and waits until its gateway is connected. Needs `dist/`. */
export async function openSystem(): Promise<System> {
  const dir = mkdtempSync(join(tmpdir(), 'viworks-bench-'));
  const [api, agents, local] = [await freePort(), await freePort(), await freePort()];
  const file = (name: string, lines: readonly string[]): string => {
    writeFileSync(join(dir, name), `${lines.join('\n')}\n`, { mode: 0o600 });
    return join(dir, name);
  };
  const backendConfig = file('backend.toml', [
    `state_dir = "${dir}/backend"`,
    'log_level = "warn"',
    '[api]',
    `port = ${api}`,
    '[agents]',
    `port = ${agents}`,
  ]);
  const launcherConfig = file('launcher.toml', [`socket = "${dir}/launcher.sock"`, `tasks_dir = "${dir}/tasks"`]);
  const tool = (...args: string[]): string =>
    execFileSync(process.execPath, [main, ...args], { encoding: 'utf8' }).trim();
  const token = tool('backend', 'token', 'create', '--role', 'admin', '--name', 'bench', '--config', backendConfig);
  const enrolment = tool('backend', 'enrolment-token', 'create', '--gateway', GATEWAY, '--config', backendConfig);
  const tokenFile = file('token', [token]);
  const enrolmentFile = file('enrolment', [enrolment]);
  const gatewayConfig = file('gateway.toml', [
    `gateway_id = "${GATEWAY}"`,
    `url = "ws://127.0.0.1:${agents}/ws/agent"`,
    `state_dir = "${dir}/gateway"`,
    'log_level = "warn"',
    `launcher_socket = "${dir}/launcher.sock"`,
    `tasks_dir = "${dir}/tasks"`,
    `enrolment_token_file = "${enrolmentFile}"`,
    `enrolment_url = "http://127.0.0.1:${api}"`,
    '[local_api]',
    `port = ${local}`,
  ]);
  const children: ChildProcess[] = [];
  const start = (...args: string[]): ChildProcess => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
    children.push(child);
    return child;
  };
  const close = async (): Promise<void> => {
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const backend = start('backend', '--config', backendConfig);
    start('launcher', '--config', launcherConfig);
    const gateway = start('gateway', '--config', gatewayConfig);
    const url = new URL(`http://127.0.0.1:${api}`);
    await connected(url, token);
    return {
      url,
      token,
      tokenFile,
      gateway: GATEWAY,
      pids: { backend: backend.pid ?? 0, gateway: gateway.pid ?? 0 },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function connected(url: URL, token: string): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (performance.now() < deadline) {
    const body = await fetch(new URL(`/api/v1/gateways/${GATEWAY}`, url), {
      headers: { authorization: `Bearer ${token}` },
    })
      .then((response) => (response.ok ? (response.json() as Promise<{ state: string }>) : undefined))
      .catch(() => undefined);
    if (body?.state === 'connected') return;
    await sleep(50);
  }
  throw new Error('the gateway did not connect within 15 s');
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
