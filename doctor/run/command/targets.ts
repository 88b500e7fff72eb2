// How each host is reached: from the inventory, or for a bare name from what the user's own ssh would do (`ssh -G`).
import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import type { HostPlan } from '../../../deploy/inventory/index.ts';
import { parseSshConfig, type RemoteTarget } from '../../../deploy/remote/index.ts';

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
  const one = (key: string): string | undefined => config.get(key)?.[0];
  return {
    name: host,
    address: one('hostname') ?? host,
    alias: host,
    port: Number(match?.[3] ?? one('port') ?? 22),
    user: match?.[1] ?? one('user') ?? userInfo().username,
    hostKeys: [],
  };
}

function askSsh(host: string, signal: AbortSignal): Promise<ReadonlyMap<string, readonly string[]>> {
  return new Promise((resolve) => {
    execFile('ssh', ['-G', '--', host], { signal, timeout: SSH_G_MS }, (error, stdout) => {
      resolve(error ? new Map() : parseSshConfig(stdout));
    });
  });
}
