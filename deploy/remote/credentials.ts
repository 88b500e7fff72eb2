// Which keys are offered to a host, in ssh's order: agent keys that are named, the agent's others, then files that the agent does not hold.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { errnoOf, exists, whyUnread } from '../../agents/runtime/index.ts';
import { type AgentKey, listAgent, stringAt } from './agent.ts';
import { lackError } from './ends.ts';
import { pathsOf, type Settings } from './ssh-config.ts';
import type { RemoteContext, RemoteTarget } from './target.ts';

/** One way to log in. */
export type Credential =
  | { readonly kind: 'agent'; readonly label: string; readonly socket: string; readonly blob: Buffer }
  | { readonly kind: 'key'; readonly label: string; readonly key: Buffer };

/** What there is to log in with. */
export interface Credentials {
  readonly offered: readonly Credential[];
  /** Files with a passphrase that no agent holds unlocked. */
  readonly locked: readonly string[];
  /** A certificate or a key on a security key, which only OpenSSH can use; undefined when there is none. */
  readonly special: string | undefined;
}

// What OpenSSH tries without any configuration; only asked on a machine that has no ssh to say so.
const USUAL_FILES = ['id_ed25519', 'id_ecdsa', 'id_rsa'] as const;

/** Collects what can be offered for a target; an identity file that the inventory names must be readable. */
export async function collectCredentials(
  target: RemoteTarget,
  settings: Settings,
  { env, signal }: RemoteContext,
): Promise<Credentials> {
  const named = target.identityFile;
  const usual = USUAL_FILES.map((name) => join(settings.home, '.ssh', name));
  const configured = settings.config.size > 0 ? pathsOf(settings, 'identityfile', target) : usual;
  const paths = named === undefined ? configured : [named];
  const socket = agentSocket(settings, env);
  const held = socket === undefined ? [] : await listAgent(socket, signal);
  const files = await Promise.all(paths.map((path) => readIdentity(path, signal)));
  signal.throwIfAborted();
  if (named !== undefined && files[0]?.kind === 'none') {
    throw lackError('VW_REMOTE_IDENTITY_FILE', target, { detail: { file: named, reason: files[0].reason } });
  }
  const only = named !== undefined || settings.config.get('identitiesonly')?.[0] === 'yes';
  return arrange(files, { held, socket: socket ?? '', only });
}

/** An identity file as it was found. */
export type Identity =
  | { readonly kind: 'none'; readonly path: string; readonly reason: string }
  | {
      readonly kind: 'open' | 'locked' | 'public';
      readonly path: string;
      readonly key: Buffer;
      /** The public half; undefined for a locked file that does not show it and has no .pub beside it. */
      readonly blob: Buffer | undefined;
      readonly certified: boolean;
    };

/** Puts files and agent keys in order. Pure. */
export function arrange(
  files: readonly Identity[],
  agent: { readonly held: readonly AgentKey[]; readonly socket: string; readonly only: boolean },
): Credentials {
  const there = files.filter((file) => file.kind !== 'none');
  const holds = (blob: Buffer | undefined): boolean =>
    blob !== undefined && agent.held.some((key) => key.blob.equals(blob));
  const through = (blob: Buffer, label: string): Credential => ({ kind: 'agent', label, socket: agent.socket, blob });
  const mine = there.filter((file) => holds(file.blob));
  const others = agent.only ? [] : agent.held.filter((key) => !mine.some((file) => file.blob?.equals(key.blob)));
  const rest = there.filter((file) => !mine.includes(file));
  const offered: readonly Credential[] = [
    ...mine.map((file) => through(file.blob as Buffer, `${file.path} through ssh-agent`)),
    ...others
      .filter((key) => !isSpecial(key.type))
      .map((key) => through(key.blob, `${key.comment || key.type} of ssh-agent`)),
    ...rest
      .filter((file) => file.kind === 'open')
      .map(({ path, key }): Credential => ({ kind: 'key', label: path, key })),
  ];
  const certified = there.find((file) => file.certified);
  const onDevice = there.find((file) => isSpecial(typeOf(file.blob)));
  const inAgent = others.find((key) => isSpecial(key.type));
  const special = certified
    ? `the certificate ${certified.path}-cert.pub`
    : onDevice
      ? `the key ${onDevice.path} (${typeOf(onDevice.blob)})`
      : inAgent && `the key ${inAgent.comment} of ssh-agent (${inAgent.type})`;
  return { offered, locked: rest.filter((file) => file.kind === 'locked').map((file) => file.path), special };
}

function isSpecial(type: string): boolean {
  return type.startsWith('sk-') || type.includes('-cert-v01@');
}

function typeOf(blob: Buffer | undefined): string {
  return (blob && stringAt(blob, 0)?.toString('latin1')) ?? '';
}

/** Where the agent listens: IdentityAgent of the configuration, else SSH_AUTH_SOCK. */
export function agentSocket(
  settings: Pick<Settings, 'config' | 'home'>,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const set = settings.config.get('identityagent')?.[0];
  if (set === 'none') return undefined;
  if (set === undefined || set === 'SSH_AUTH_SOCK') return env.SSH_AUTH_SOCK || undefined;
  if (set.startsWith('$')) return env[set.slice(1).replace(/^\{|\}$/g, '')] || undefined;
  return set.replace(/^~(?=\/)/, settings.home);
}

async function readIdentity(path: string, signal: AbortSignal): Promise<Identity> {
  const read = (file: string): Promise<Buffer | Error> => readFile(file, { signal }).catch((error: Error) => error);
  const certified = await exists(`${path}-cert.pub`);
  const [own, pub] = await Promise.all([read(path), read(`${path}.pub`)]);
  const beside = pub instanceof Error ? undefined : publicBlob(pub);
  if (own instanceof Error) {
    // The private half may lie in an agent or on a card; its public half is enough to name it.
    if (beside && errnoOf(own) === 'ENOENT')
      return { kind: 'public', path, key: Buffer.alloc(0), blob: beside, certified };
    return { kind: 'none', path, reason: whyUnread(own) };
  }
  const asPublic = publicBlob(own);
  if (asPublic) return { kind: 'public', path, key: own, blob: asPublic, certified };
  if (!/PRIVATE KEY/.test(own.toString('latin1'))) return { kind: 'none', path, reason: 'not a private key' };
  const kind = isEncrypted(own) ? 'locked' : 'open';
  return {
    kind,
    path,
    key: own,
    blob: shownBlob(own) ?? beside ?? (kind === 'open' ? parsedBlob(own) : undefined),
    certified,
  };
}

/** Whether a private key needs a passphrase (PEM headers, or the cipher name of OpenSSH's own format). */
export function isEncrypted(key: Buffer): boolean {
  if (/ENCRYPTED/.test(key.toString('latin1'))) return true;
  const raw = ownFormat(key);
  return raw !== undefined && stringAt(raw, MAGIC.length)?.toString('latin1') !== 'none';
}

const MAGIC = 'openssh-key-v1\0';

function ownFormat(key: Buffer): Buffer | undefined {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(key.toString('latin1'))?.[1];
  return body === undefined ? undefined : Buffer.from(body.replace(/\s+/g, ''), 'base64');
}

/** The public half that OpenSSH's format shows in front of the private one, encrypted or not (PROTOCOL.key). */
export function shownBlob(key: Buffer): Buffer | undefined {
  const raw = ownFormat(key);
  if (raw === undefined) return undefined;
  let at = MAGIC.length;
  // cipher, kdf, kdf options, then the number of keys.
  for (let skipped = 0; skipped < 3; skipped++) {
    const field = stringAt(raw, at);
    if (!field) return undefined;
    at += 4 + field.length;
  }
  return stringAt(raw, at + 4);
}

function parsedBlob(key: Buffer): Buffer | undefined {
  const parsed = ssh2.utils.parseKey(key);
  return parsed instanceof Error ? undefined : parsed.getPublicSSH();
}

function publicBlob(text: Buffer): Buffer | undefined {
  const [type, encoded] = text.toString('latin1').trim().split(/\s+/);
  const blob = type !== undefined && encoded !== undefined ? Buffer.from(encoded, 'base64') : undefined;
  return blob && typeOf(blob) === type ? blob : undefined;
}
