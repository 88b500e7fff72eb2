// One verified connection to one host, made as the user's own ssh would make it: by ssh2, or by OpenSSH where only that can.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { collectCredentials } from './credentials.ts';
import { remoteErrors } from './errors.ts';
import { type KnownHost, knownFor, parseKnownHosts, type ShownKey } from './host-key.ts';
import { connectNode, readKeyNode } from './node.ts';
import { pathsOf, readSettings, type Settings, settingOf } from './ssh-config.ts';
import type { Remote, RemoteContext, RemoteTarget } from './target.ts';

const CONNECT_MS = 10_000;

/** Opens a connection, verifying the host key before anything is sent. Throws VW_REMOTE_*, with `detail.end` where a login ended. */
export async function openRemote(asked: RemoteTarget, context: RemoteContext): Promise<Remote> {
  if (asked.jump !== undefined) throw remoteErrors.create('VW_REMOTE_JUMP', { host: asked.name, jump: asked.jump });
  const limitMs = context.connectMs ?? CONNECT_MS;
  const settings = await readSettings(asked, context);
  const target = resolved(asked, settings);
  const credentials = await collectCredentials(target, settings, context);
  const known = await readKnownHosts(target, settings);
  return await connectNode({ target, context, credentials, known, limitMs });
}

/** Reads the key that a host shows, without logging in and without trusting it: for `deploy trust`. */
export async function readHostKey(asked: RemoteTarget, context: RemoteContext): Promise<ShownKey> {
  const settings = await readSettings(asked, context);
  return await readKeyNode(resolved(asked, settings), context, context.connectMs ?? CONNECT_MS);
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
