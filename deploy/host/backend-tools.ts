// What the helper asks of a backend on its own host: tokens from its command line, a canary command through its API.

import { createHash, randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readEventStream } from '../../agents/protocol/index.ts';
import { type PortOwner, ProbeCredential, replaceFile } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import { askBackend, type BackendQuestion } from '../peer.ts';
import { LAYOUT } from '../plan/layout.ts';
import { run } from './tools.ts';

/** Where the deployer's token lies. */
const PROBE_TOKEN = join(LAYOUT.credentials, 'probe-token');
/** Where an earlier release kept a token that could run commands. */
const STRONGER_TOKEN = join(LAYOUT.credentials, 'deploy-token');
/** Who has to hold the backend's ports. */
export const BACKEND_UNIT: PortOwner = { kind: 'unit', unit: 'viworks-backend-agent.service' };
/** For what is nice to know before a deploy, in ms. */
const GLANCE_MS = 1_000;
const CANARY_BYTES = 65_536;
const CANARY_MS = 30_000;

/** Runs the backend's own command line as its own user, and gives the one line that it prints. */
export async function backendCli(args: readonly string[]): Promise<string> {
  const account = ['--reuid=viworks-backend', '--regid=viworks-backend', '--init-groups'];
  const program = [join(LAYOUT.current, 'runtime/node'), join(LAYOUT.current, 'app/dist/main.js'), 'backend'];
  const config = ['--config', join(LAYOUT.current, 'etc/backend.toml')];
  const ran = await run(['setpriv', ...account, ...program, ...args, ...config]);
  const line = ran.stdout.trim();
  if (ran.code === 0 && line !== '') return line;
  throw deployErrors.create('VW_DEPLOY_HOST_FAILED', {
    what: `viworks backend ${args[0]} create`,
    reason: ran.stderr.trim(),
  });
}

/** The deployer's own token on a backend host (0600, root's): made once, used for the registry and canaries, and sent only to the backend itself. */
async function deployToken(anew = false): Promise<ProbeCredential> {
  const kept = anew ? undefined : await keptToken();
  if (kept) return kept;
  // A name is taken for good, and the file of an earlier token may have been lost.
  const name = `viworks-deploy ${randomBytes(4).toString('hex')}`;
  const made = await backendCli(['token', 'create', '--role', 'probe', '--name', name]);
  const credential = ProbeCredential.of(made);
  if (!credential) throw new Error('viworks backend token create made no token of the role probe');
  await replaceFile(PROBE_TOKEN, `${made}\n`, { mode: 0o600 });
  await rm(STRONGER_TOKEN, { force: true });
  return credential;
}

async function keptToken(): Promise<ProbeCredential | undefined> {
  return ProbeCredential.of(await readFile(PROBE_TOKEN, 'utf8').catch(() => ''));
}

/** Runs the canary on a gateway and judges its exit code and every byte. Throws a plain error that says what was wrong. */
export async function runCanary(api: string, gateway: string): Promise<string> {
  const first = await canary(api, gateway, await deployToken());
  // A store that was set up anew does not know the token that was kept.
  const events = first.status === 401 ? await canary(api, gateway, await deployToken(true)) : first;
  if (events.status >= 300) throw new Error(`the API answered ${events.status} ${events.text.slice(0, 300)}`);
  return judgeCanary(events.text);
}

/** Reads the event stream of a canary. */
export function judgeCanary(text: string): string {
  const streams = { out: [] as Buffer[], err: [] as Buffer[] };
  let end: { outcome?: string; code?: number | null; message?: string } | undefined;
  for (const { name, data } of readEventStream(text)) {
    const body = JSON.parse(data);
    if (name === 'output') streams[body.stream === 'err' ? 'err' : 'out'].push(Buffer.from(body.data, 'base64'));
    if (name === 'exit') end = body.task?.end;
  }
  const bytes = Buffer.concat(streams.out);
  if (end === undefined) throw new Error('the canary did not end in time');
  if (end.code !== 0) throw new Error(`the canary ended with ${JSON.stringify(end)}`);
  const expected = /[0-9a-f]{64}/.exec(Buffer.concat(streams.err).toString('utf8'))?.[0];
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (bytes.length !== CANARY_BYTES || actual !== expected)
    throw new Error(`the canary's ${bytes.length} bytes arrived changed`);
  return 'canary ok';
}

/** Whether the registry lists a gateway as connected. */
export async function gatewayState(api: string, gateway: string): Promise<string> {
  const credential = await deployToken();
  const answer = await ask(api, { path: `/api/v1/gateways/${encodeURIComponent(gateway)}`, credential });
  if (answer.status === 404) return 'unknown';
  if (answer.status !== 200) throw new Error(`the API answered ${answer.status} ${answer.text.slice(0, 300)}`);
  return (JSON.parse(answer.text) as { state?: string }).state ?? 'unknown';
}

/** Ids of the connected gateways; null when the backend cannot be asked now. Makes no token. */
export async function connectedGateways(api: string): Promise<string[] | null> {
  try {
    const credential = await keptToken();
    if (!credential) return null;
    const answer = await ask(api, { path: '/api/v1/gateways', credential }, GLANCE_MS);
    const { gateways } = JSON.parse(answer.text) as { gateways: { gatewayId: string; state: string }[] };
    return gateways.filter((gateway) => gateway.state === 'connected').map((gateway) => gateway.gatewayId);
  } catch {
    return null;
  }
}

/** How many gateways are linked, by the backend's health; null when it cannot be asked now. */
export async function countSessions(api: string): Promise<number | null> {
  try {
    const answer = await ask(api, { path: '/health' }, GLANCE_MS);
    return (JSON.parse(answer.text) as { sessions?: number }).sessions ?? null;
  } catch {
    return null;
  }
}

function canary(api: string, gateway: string, credential: ProbeCredential): Promise<{ status: number; text: string }> {
  const body = JSON.stringify({
    verb: 'canary',
    args: { bytes: CANARY_BYTES },
    gateways: [gateway],
    timeoutMs: CANARY_MS,
    ttlMs: CANARY_MS,
  });
  const headers = {
    accept: 'text/event-stream',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  return ask(api, { method: 'POST', path: '/api/v1/commands', headers, body, credential });
}

async function ask(
  api: string,
  question: BackendQuestion,
  ms = CANARY_MS + 5_000,
): Promise<{ status: number; text: string }> {
  const answer = await askBackend({ bind: api, owner: BACKEND_UNIT, ms }, question);
  const parts: Buffer[] = [];
  try {
    for await (const part of answer as AsyncIterable<Buffer>) {
      parts.push(part);
      // The stream of a finished command may stay open: its exit event is the end.
      if (/(^|\n)event: ?exit\r?\n[\s\S]*?\n\r?\n/.test(Buffer.concat(parts.slice(-8)).toString('latin1'))) break;
    }
  } finally {
    answer.destroy();
  }
  return { status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') };
}
