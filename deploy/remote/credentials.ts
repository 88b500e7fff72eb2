// Which keys are offered to a host: the inventory's identity file alone, else the agent and the usual files.
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, errnoOf } from '../../agents/runtime/index.ts';
import { remoteErrors } from './errors.ts';
import type { RemoteContext, RemoteTarget } from './target.ts';

/** One way to log in, in the order in which it is tried. */
export type Credential =
  | { readonly kind: 'agent'; readonly label: string; readonly socket: string }
  | { readonly kind: 'key'; readonly label: string; readonly key: Buffer };

// The order in which OpenSSH tries them, without the types that are gone from it.
const USUAL_FILES = ['id_ed25519', 'id_ecdsa', 'id_rsa'] as const;

/** Collects what can be offered for a target; an identity file that is named must be readable. */
export async function collectCredentials(target: RemoteTarget, context: RemoteContext): Promise<Credential[]> {
  const { env, signal } = context;
  if (target.identityFile !== undefined) {
    const key = await readKey(target.identityFile, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      const reason = errnoOf(error) === 'ENOENT' ? 'no such file' : describe(error);
      throw remoteErrors.create(
        'VW_REMOTE_IDENTITY_FILE',
        { host: target.name, file: target.identityFile, reason },
        error,
      );
    });
    return [{ kind: 'key', label: target.identityFile, key }];
  }
  const found: Credential[] = [];
  const socket = env.SSH_AUTH_SOCK;
  if (socket) found.push({ kind: 'agent', label: 'ssh-agent', socket });
  for (const name of USUAL_FILES) {
    const file = join(env.HOME ?? homedir(), '.ssh', name);
    const key = await readKey(file, signal).catch(() => undefined);
    // A key with a passphrase can only be used through the agent: offering it would fail in the parser.
    if (key && !isEncrypted(key)) found.push({ kind: 'key', label: file, key });
  }
  return found;
}

/** Whether a private key needs a passphrase (PEM headers, or the cipher name of OpenSSH's own format). */
export function isEncrypted(key: Buffer): boolean {
  const text = key.toString('latin1');
  if (/ENCRYPTED/.test(text)) return true;
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text)?.[1];
  if (body === undefined) return false;
  const raw = Buffer.from(body.replace(/\s+/g, ''), 'base64');
  const start = 'openssh-key-v1\0'.length;
  return raw.length > start + 8 && raw.toString('latin1', start + 4, start + 4 + raw.readUInt32BE(start)) !== 'none';
}

function readKey(file: string, signal: AbortSignal): Promise<Buffer> {
  return readFile(file, { signal });
}
