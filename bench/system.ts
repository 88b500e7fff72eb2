// The whole system on this machine for the rows to measure: `viworks up` with a home of its own, real processes, default settings.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const main = new URL('../dist/main.js', import.meta.url).pathname;

/** The running system. `close` ends its processes and removes its files. */
export interface System {
  /** The HTTP API itself, without TLS. */
  readonly url: URL;
  readonly token: string;
  readonly gateway: string;
  /** Environment in which `viworks` finds this system. */
  readonly env: NodeJS.ProcessEnv;
  readonly pids: { readonly backend: number; readonly gateway: number };
  close(): Promise<void>;
}

/** Starts the system and waits until it says that it runs. Needs `dist/`. */
export async function openSystem(): Promise<System> {
  const home = mkdtempSync(join(tmpdir(), 'viworks-bench-'));
  const [api, agents, tls, local] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const ports = ['--api-port', api, '--agents-port', agents, '--tls-port', tls, '--local-port', local].map(String);
  const env = { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8' };
  const child = spawn(process.execPath, [main, 'up', '--no-nginx', ...ports], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    rmSync(home, { recursive: true, force: true });
  };
  let said = '';
  child.stdout.setEncoding('utf8');
  for await (const text of child.stdout) {
    said += text as string;
    if (/^Running\./m.test(said)) break;
  }
  if (!/^Running\./m.test(said)) {
    await close();
    throw new Error(`viworks up did not come up:\n${said}`);
  }
  const contexts = JSON.parse(readFileSync(join(home, '.config/viworks/contexts.json'), 'utf8')) as {
    current: string;
    contexts: Record<string, { tokenFile: string }>;
  };
  const tokenFile = contexts.contexts[contexts.current]?.tokenFile ?? '';
  const record = readFileSync(join(home, '.local/state/viworks/up/processes.json'), 'utf8');
  const parts = (JSON.parse(record) as { children: { name: string; pid: number }[] }).children;
  const pid = (name: string): number => parts.find((part) => part.name === name)?.pid ?? 0;
  return {
    url: new URL(`http://127.0.0.1:${api}`),
    token: readFileSync(tokenFile, 'utf8').trim(),
    gateway: 'this-machine',
    env,
    pids: { backend: pid('backend'), gateway: pid('gateway') },
    close,
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
