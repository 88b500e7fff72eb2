// How each host is reached: from the inventory, or for a bare name from what the user's own ssh would do (`ssh -G`).
import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import type { HostPlan } from '../../deploy/inventory/index.ts';
import type { RemoteTarget } from '../../deploy/remote/index.ts';

/** `ssh -G` only reads files; a machine where it hangs has other worries. */
const SSH_G_MS = 2_000;

export function targetOfPlan(host: HostPlan): RemoteTarget {
  const { name, address, port, user, hostKeys, identityFile, jump } = host;
  return { name, address, port, user, hostKeys, identityFile, jump };
}

/** `[user@]host[:port]`, as typed after --backend and --gateway. */
export async function targetOfName(typed: string, signal: AbortSignal): Promise<RemoteTarget> {
  const match = /^(?:([^@]+)@)?(\[[^\]]+\]|[^:]+|[0-9a-f:]+:[0-9a-f:]*)(?::(\d+))?$/i.exec(typed);
  const host = (match?.[2] ?? typed).replace(/^\[|\]$/g, '');
  const config = await askSsh(host, signal);
  const identity = await firstThere(config.get('identityfile') ?? []);
  const one = (key: string): string | undefined => config.get(key)?.[0];
  const jump = one('proxyjump');
  return {
    name: host,
    address: one('hostname') ?? host,
    port: Number(match?.[3] ?? one('port') ?? 22),
    user: match?.[1] ?? one('user') ?? userInfo().username,
    hostKeys: [],
    ...(identity === undefined ? {} : { identityFile: identity }),
    ...(jump === undefined || jump === 'none' ? {} : { jump }),
  };
}

function askSsh(host: string, signal: AbortSignal): Promise<ReadonlyMap<string, readonly string[]>> {
  return new Promise((resolve) => {
    execFile('ssh', ['-G', '--', host], { signal, timeout: SSH_G_MS }, (error, stdout) => {
      resolve(error ? new Map() : parseSshConfig(stdout));
    });
  });
}

/** Lines of `key value`; a key may come several times. */
export function parseSshConfig(text: string): ReadonlyMap<string, readonly string[]> {
  const config = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const at = line.indexOf(' ');
    if (at < 0) continue;
    const key = line.slice(0, at).toLowerCase();
    config.set(key, [...(config.get(key) ?? []), line.slice(at + 1)]);
  }
  return config;
}

async function firstThere(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const path = file.replace(/^~(?=\/)/, homedir());
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) return path;
  }
  return undefined;
}
