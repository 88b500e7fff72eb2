// One verified connection to one host, made as the user's own ssh would make it: by ssh2, or by OpenSSH where only that can.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Credentials, collectCredentials } from './credentials.ts';
import { endOf, lackError } from './ends.ts';
import { remoteErrors } from './errors.ts';
import { type KnownHost, knownFor, parseKnownHosts, type ShownKey } from './host-key.ts';
import { connectNode, readKeyNode } from './node.ts';
import { connectOpenSsh, type OpenSshAttempt, readKeyOpenSsh } from './openssh.ts';
import { pathsOf, readSettings, type Settings, settingOf, whyOpenSsh } from './ssh-config.ts';
import type { Remote, RemoteContext, RemoteTarget } from './target.ts';
import { unlock } from './unlock.ts';

const CONNECT_MS = 10_000;
/** A question on a terminal waits as long as sshd does (LoginGraceTime), in ms. */
const ANSWER_MS = 120_000;

/** Opens a connection, verifying the host key before anything is sent. Throws VW_REMOTE_*, with `detail.end` where a login ended. */
export async function openRemote(asked: RemoteTarget, context: RemoteContext): Promise<Remote> {
  if (asked.jump !== undefined) throw remoteErrors.create('VW_REMOTE_JUMP', { host: asked.name, jump: asked.jump });
  const limitMs = context.connectMs ?? CONNECT_MS;
  const settings = await readSettings(asked, context);
  const target = resolved(asked, settings);
  const credentials = await collectCredentials(target, settings, context);
  const known = await readKnownHosts(target, settings);
  const isOpenSsh = needsOpenSsh(target, settings, { special: credentials.special, known });
  const attempt = { target, context, settings, credentials, known, limitMs, mayAsk: false };
  try {
    return isOpenSsh
      ? await connectOpenSsh(attempt)
      : await connectNode({ target, context, credentials, known, limitMs });
  } catch (error) {
    const { questions } = context;
    if (!questions?.mayAsk || settings.noClient !== undefined || !canBeAsked(error, credentials)) throw error;
    // One host asks at a time, and nobody draws on the terminal meanwhile.
    const asking = { ...attempt, limitMs: ANSWER_MS, mayAsk: true };
    return await questions.alone(async () => {
      const [file] = isOpenSsh ? [] : credentials.locked;
      if (endOf(error) !== 'key-not-offered' || file === undefined) return await connectOpenSsh(asking);
      const key = await unlock(file, questions, context);
      if (!key) throw error;
      const own = { ...credentials, offered: [key], locked: [] };
      return await connectNode({ target, context, known, limitMs, credentials: own }).catch(async (later: unknown) => {
        if (endOf(later) !== 'more-wanted') throw later;
        const env = { ...context.env, SSH_AUTH_SOCK: key.socket };
        return await connectOpenSsh({ ...asking, context: { ...context, env } });
      });
    });
  }
}

/** Reads the key that a host shows, without logging in and without trusting it: for `deploy trust`. */
export async function readHostKey(asked: RemoteTarget, context: RemoteContext): Promise<ShownKey> {
  const settings = await readSettings(asked, context);
  const target = resolved(asked, settings);
  const limitMs = context.connectMs ?? CONNECT_MS;
  if (!needsOpenSsh({ ...target, hostKeys: ['any'] }, settings, { special: undefined, known: [] })) {
    return await readKeyNode(target, context, limitMs);
  }
  const credentials: Credentials = { offered: [], locked: [], special: undefined };
  const attempt: OpenSshAttempt = { target, context, settings, credentials, known: [], limitMs, mayAsk: false };
  return await readKeyOpenSsh(attempt);
}

/** Whether OpenSSH has to make the connection. Throws VW_REMOTE_NO_OPENSSH where it has to and is missing. */
function needsOpenSsh(
  target: RemoteTarget,
  settings: Settings,
  of: { readonly special: string | undefined; readonly known: readonly KnownHost[] },
): boolean {
  const authority = of.known.find((entry) => entry.marker === 'cert-authority')?.place;
  const why = whyOpenSsh(target, settings, { special: of.special, authority });
  if (!why) return false;
  if (settings.noClient === undefined) return true;
  // A certificate beside ordinary keys: those are tried without it.
  if (!why.must) return false;
  throw lackError('VW_REMOTE_NO_OPENSSH', target, { detail: { why: why.because, reason: settings.noClient } });
}

/** What a person at a terminal could answer: a passphrase, a second factor, or the password of an account without any key. */
function canBeAsked(error: unknown, credentials: Credentials): boolean {
  const end = endOf(error);
  if (end === 'more-wanted' || end === 'key-not-offered') return true;
  return end === 'auth-denied' && credentials.offered.length === 0;
}

/** The address is what HostName of the configuration says; user and port were decided before. */
function resolved(target: RemoteTarget, { config }: Settings): RemoteTarget {
  const address = settingOf(config, 'hostname') ?? target.address;
  return { ...target, address, alias: target.alias ?? target.address };
}

async function readKnownHosts(target: RemoteTarget, settings: Settings): Promise<readonly KnownHost[]> {
  if (target.hostKeys.length > 0) return [];
  const usual = [join(settings.home, '.ssh/known_hosts')];
  const named = [
    ...pathsOf(settings, 'userknownhostsfile', target),
    ...pathsOf(settings, 'globalknownhostsfile', target),
  ];
  const files = settings.config.size > 0 ? named : usual;
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  const entries = files.flatMap((file, index) => parseKnownHosts(texts[index] ?? '', file));
  return knownFor(entries, target.address, target.port);
}
