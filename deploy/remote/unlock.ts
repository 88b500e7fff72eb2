// Unlocks a key once a run: in an agent of its own that ends with this process, so that two hosts do not ask for one passphrase twice.

import { spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exists } from '../../agents/runtime/index.ts';
import { listAgent } from './agent.ts';
import type { Credential } from './credentials.ts';
import type { Questions, RemoteContext } from './target.ts';

/** How long an agent may take to listen, in ms. */
const LISTEN_MS = 2_000;

// The agent ends when our end of its input closes, however this process ends, and its directory goes with it.
const KEEPER = `trap '' INT QUIT; exec 3<&0; ssh-agent -D -a "$1/agent" >/dev/null 2>&1 </dev/null 3<&- & p=$!
cat <&3 >/dev/null; kill $p; rm -rf "$1"`;

type AgentCredential = Extract<Credential, { kind: 'agent' }>;

const agents = new WeakMap<Questions, Promise<string>>();
const unlocked = new WeakMap<Questions, Map<string, AgentCredential>>();

/** Has ssh-add ask for the passphrase, unless that was done before; undefined when it was not given. Only within `questions.alone`. */
export async function unlock(
  file: string,
  questions: Questions,
  context: RemoteContext,
): Promise<AgentCredential | undefined> {
  const known = unlocked.get(questions) ?? new Map<string, AgentCredential>();
  unlocked.set(questions, known);
  const before = known.get(file);
  if (before) return before;
  const starting = agents.get(questions) ?? startAgent(context);
  agents.set(questions, starting);
  const socket = await starting;
  const held = await listAgent(socket, context.signal);
  // On the terminal itself: the prompt is ssh-add's, and the passphrase never passes through this process.
  const child = spawn('ssh-add', ['-q', file], {
    stdio: ['inherit', 'ignore', 'inherit'],
    env: { ...context.env, SSH_AUTH_SOCK: socket },
    signal: context.signal,
  });
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve).once('error', () => resolve(null));
  });
  context.signal.throwIfAborted();
  const added = (await listAgent(socket, context.signal)).find((key) => !held.some((old) => old.blob.equals(key.blob)));
  if (code !== 0 || !added) return undefined;
  const credential: AgentCredential = { kind: 'agent', label: file, socket, blob: added.blob };
  known.set(file, credential);
  return credential;
}

async function startAgent({ clock, signal, env }: RemoteContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'viworks-agent-'));
  const child = spawn('/bin/sh', ['-c', KEEPER, 'agent', directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { ...env },
  });
  child.once('error', () => undefined);
  child.unref();
  (child.stdin as Socket).unref();
  const socket = join(directory, 'agent');
  const until = clock.monotonicMs() + LISTEN_MS;
  while (!(await exists(socket)) && clock.monotonicMs() < until) await clock.sleep(20, signal);
  return socket;
}
