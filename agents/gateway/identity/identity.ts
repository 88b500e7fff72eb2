// Who this gateway is: its Ed25519 key (made here, never sent), and what tells this machine from another one.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { describe, errnoOf, replaceFile } from '../../runtime/index.ts';
import { gatewayErrors } from '../errors.ts';

const identityFile = z.strictObject({
  version: z.literal(1),
  gatewayId: z.string(),
  privateKey: z.string(),
  /** When the backend took the key; 0: not yet. */
  enrolledAt: z.int(),
});

/** A loaded identity. */
export interface Identity {
  readonly gatewayId: string;
  readonly enrolled: boolean;
  /** Ed25519 SPKI DER, base64. */
  readonly publicKey: string;
  /** Signature of a text, base64url. */
  sign(text: string): string;
}

const FILE = 'identity.json';

/** Loads the identity of `stateDir`, or makes one for `gatewayId`. */
export async function openIdentity(
  options: { readonly stateDir: string; readonly gatewayId: string },
  signal: AbortSignal,
): Promise<Identity> {
  const file = join(options.stateDir, FILE);
  const text = await readFile(file, { encoding: 'utf8', signal }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (errnoOf(error) === 'EACCES') throw gatewayErrors.create('VW_GATEWAY_IDENTITY_FORBIDDEN', { file }, error);
    throw gatewayErrors.create('VW_GATEWAY_IDENTITY_DAMAGED', { file, reason: describe(error) }, error);
  });
  if (text === undefined) {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    await save(options.stateDir, { version: 1, gatewayId: options.gatewayId, privateKey: pem, enrolledAt: 0 });
    return fromKey(privateKey, options.gatewayId, false);
  }
  const stored = readStored(text, file);
  if (stored.gatewayId !== options.gatewayId) {
    throw gatewayErrors.create('VW_GATEWAY_IDENTITY_MISMATCH', {
      file,
      theirs: stored.gatewayId,
      ours: options.gatewayId,
    });
  }
  return fromKey(stored.key, stored.gatewayId, stored.enrolledAt > 0);
}

/** Remembers that the backend took the key. */
export async function markEnrolled(stateDir: string, at: number, signal: AbortSignal): Promise<void> {
  const file = join(stateDir, FILE);
  const stored = identityFile.parse(JSON.parse(await readFile(file, { encoding: 'utf8', signal })));
  await save(stateDir, { ...stored, enrolledAt: at });
}

function readStored(text: string, file: string): { gatewayId: string; enrolledAt: number; key: KeyObject } {
  try {
    const stored = identityFile.parse(JSON.parse(text));
    return { ...stored, key: createPrivateKey(stored.privateKey) };
  } catch (error) {
    throw gatewayErrors.create('VW_GATEWAY_IDENTITY_DAMAGED', { file, reason: describe(error) }, error);
  }
}

function fromKey(key: KeyObject, gatewayId: string, enrolled: boolean): Identity {
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    gatewayId,
    enrolled,
    publicKey: der.toString('base64'),
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64url'),
  };
}

// Mode from the first byte on, durable, whole or not at all.
async function save(stateDir: string, content: z.infer<typeof identityFile>): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const owner = await stat(stateDir);
    // Enrolled by hand as root, used by the agent's own user.
    const own = process.getuid?.() === 0 ? { owner } : {};
    await replaceFile(join(stateDir, FILE), `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600, ...own });
  } catch (error) {
    throw gatewayErrors.create('VW_GATEWAY_STATE_UNUSABLE', { dir: stateDir, reason: describe(error) }, error);
  }
}

/** What tells this boot and this machine from others. */
export interface Machine {
  readonly bootId: string;
  readonly fingerprint: string;
}

/** Reads boot id and machine id; the machine's name stands in where there is no machine id. */
export async function readMachine(signal: AbortSignal): Promise<Machine> {
  const read = (file: string): Promise<string> =>
    readFile(file, { encoding: 'utf8', signal }).then(
      (text) => text.trim(),
      () => '',
    );
  const [bootId, machineId] = await Promise.all([read('/proc/sys/kernel/random/boot_id'), read('/etc/machine-id')]);
  const fingerprint = createHash('sha256')
    .update(`viworks\n${machineId}\n${machineId === '' ? hostname() : ''}`)
    .digest('hex');
  return { bootId: bootId === '' ? 'unknown' : bootId, fingerprint };
}
