// What the deployer may ask of a host: one function for each operation, by name. Arguments come from a peer that is root here
// anyway; they are still checked where a slip would write outside of our own directories.
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, replaceFile } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import { LAYOUT } from '../plan/layout.ts';
import { type Drift, isReleaseId, type LayerFile, type ReleaseParcel } from '../plan/manifest.ts';
import { ensureAccounts } from './accounts.ts';
import {
  type ActContext,
  commit,
  discard,
  forgetStarts,
  goBack,
  type Retreat,
  removeAll,
  startPart,
  switchTo,
} from './activate.ts';
import { backendCli, gatewayState, runCanary } from './backend-tools.ts';
import { IDENTITY_FILE, readFacts } from './facts.ts';
import { type GateContext, gatesOf, type Part, passGates } from './gates.ts';
import { prepareDirectories, putApp, putRuntime, stageRelease } from './layers.ts';
import { holdsLock, takeLock } from './lock.ts';
import { journalTail, readManifest, readState, record, writeState } from './memory.ts';
import { keepEdited } from './outer.ts';
import { run, sha256 } from './tools.ts';
import { validateAsIf } from './validate.ts';

/** What an operation is handed. */
export interface OperationContext extends ActContext {
  readonly clock: Clock;
  /** The raw bytes that were announced with the request. */
  readonly bytes: AsyncIterable<Buffer>;
  note(step: string, detail: string): void;
}

type Operation = (args: never, context: OperationContext) => Promise<unknown>;

const APT_MS = 300_000;

/** Every operation by name. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  facts: () => readFacts(),
  alive: async () => undefined,
  lock: async ({ holder }: { holder: string }) => takeLock(holder),
  'put-runtime': ({ digest }: { digest: string }, { bytes }) => putRuntime(digest, bytes),
  'put-app': (layer: { digest: string; files: LayerFile[] }, { bytes }) => putApp(layer, bytes),
  'put-helper': putHelper,
  packages: installPackages,
  secrets: putSecrets,
  accounts: makeAccounts,
  stage: stage,
  // Without the lock it would be somebody else's: two deploys may stage the same release.
  discard: async ({ id }: { id: string }, context) => (holdsLock() ? discard(releaseId(id), context) : undefined),
  validate: ({ id, asItIs }: { id: string; asItIs?: boolean }) => validateAsIf(releaseId(id), asItIs),
  'keep-edited': async ({ drift }: { drift: Drift[] }) => {
    await forgetStarts(drift);
    return await keepEdited(drift);
  },
  'read-files': readFiles,
  switch: ({ id }: { id: string }, context) => switchTo(releaseId(id), context),
  start: ({ part }: { part: Part }, context) => startPart(part, context),
  verify: verify,
  commit: (_: unknown, context) => commit(context),
  'go-back': async (retreat: Retreat, context) => goBack(retreat, context),
  'mark-bad': ({ id, reason }: { id: string; reason: string }) =>
    writeFile(join(LAYOUT.releases, releaseId(id), 'BAD'), `${reason}\n`),
  'forget-previous': async () => writeState({ ...(await readState()), previous: null }),
  'read-manifest': ({ id }: { id: string }) => readManifest(releaseId(id)),
  canary: ({ api, gateway }: { api: string; gateway: string }) => runCanary(api, gateway),
  'gateway-state': ({ api, gateway }: { api: string; gateway: string }) => gatewayState(api, gateway),
  'forget-enrolment': forgetEnrolment,
  'restart-gateway': async () => {
    await run(['systemctl', 'restart', 'viworks-gateway-agent.service'], { ms: 90_000 });
  },
  'create-token': ({ role, name }: { role: string; name: string }) =>
    backendCli(['token', 'create', '--role', role, '--name', name]),
  'create-enrolment': ({ gateway }: { gateway: string }) =>
    backendCli(['enrolment-token', 'create', '--gateway', gateway]),
  journal: ({ count }: { count: number }) => journalTail(count),
  remove: ({ keepData }: { keepData: boolean }, context) => removeAll(keepData, context),
};

async function verify({ part }: { part: Part }, context: OperationContext): Promise<void> {
  const state = await readState();
  const id = state.way?.to ?? state.current;
  if (id === null) throw new Error('there is no release to verify');
  const manifest = await readManifest(id);
  const gate: GateContext = { clock: context.clock, state, note: context.note };
  await passGates(await gatesOf(manifest, part, gate), gate);
}

async function stage(parcel: ReleaseParcel, context: OperationContext): Promise<void> {
  await record(context.clock, { step: 'stage', release: parcel.manifest.id });
  await stageRelease(parcel);
}

async function makeAccounts({ release }: { release: string }, context: OperationContext): Promise<void> {
  const manifest = await readManifest(releaseId(release));
  await record(context.clock, { step: 'accounts' });
  const made = await ensureAccounts(manifest.accounts);
  const state = await readState();
  await writeState({
    ...state,
    made: {
      ...state.made,
      accounts: [...state.made.accounts, ...made.accounts],
      groups: [...state.made.groups, ...made.groups],
    },
  });
}

async function putHelper({ digest }: { digest: string }, { bytes }: OperationContext): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of bytes) parts.push(part);
  const content = Buffer.concat(parts);
  if (sha256(content) !== digest) {
    throw deployErrors.create('VW_DEPLOY_ARTEFACT', {
      what: 'the host helper arrived damaged',
      remedy: 'run the deploy again',
    });
  }
  // Kept so that a helper that cannot start does not lock itself out.
  await rename(LAYOUT.helper, `${LAYOUT.helper}.prev`).catch(() => undefined);
  await replaceFile(LAYOUT.helper, content, { mode: 0o755 });
  await chmod(LAYOUT.helper, 0o755);
}

async function putSecrets({
  files,
}: {
  files: { name: string; content: string; ifMissing?: boolean }[];
}): Promise<void> {
  await prepareDirectories();
  for (const { name, content, ifMissing } of files) {
    if (!/^[a-z0-9][a-z0-9._-]{0,100}$/.test(name)) throw new Error(`${name} is not a valid name for a secret`);
    const file = join(LAYOUT.credentials, name);
    const kept = await readFile(file, 'utf8').catch(() => undefined);
    if (kept === content || (ifMissing && kept !== undefined)) continue;
    await replaceFile(file, content, { mode: 0o600 });
  }
}

// The key stays; only the belief that the backend knows it goes. Written in place: owner and mode are the agent's.
async function forgetEnrolment(): Promise<void> {
  const identity = JSON.parse(await readFile(IDENTITY_FILE, 'utf8')) as object;
  await writeFile(IDENTITY_FILE, JSON.stringify({ ...identity, enrolledAt: 0 }));
}

async function installPackages({ names }: { names: string[] }, context: OperationContext): Promise<void> {
  const missing: string[] = [];
  for (const name of names) {
    const { stdout } = await run(['dpkg-query', '-W', '-f', '${db:Status-Abbrev}', name]);
    if (!stdout.startsWith('ii')) missing.push(name);
  }
  if (missing.length === 0) return;
  await record(context.clock, { step: 'packages', names: missing });
  // The lock of dpkg may be held by unattended-upgrades for a while.
  const apt: [string, ...string[]] = [
    'apt-get',
    '-q',
    '-y',
    '-o',
    'DPkg::Lock::Timeout=120',
    '--no-install-recommends',
  ];
  let ran = await run([...apt, 'install', ...missing], { ms: APT_MS });
  if (ran.code !== 0) {
    await run([...apt, 'update'], { ms: APT_MS });
    ran = await run([...apt, 'install', ...missing], { ms: APT_MS });
  }
  if (ran.code !== 0) {
    const what = `apt-get install ${missing.join(' ')} failed:\n${ran.stderr.trim().split('\n').slice(-5).join('\n')}`;
    throw deployErrors.create('VW_DEPLOY_HOST_UNFIT', {
      what,
      remedy: `install it by hand: apt-get install ${missing.join(' ')}`,
    });
  }
  const state = await readState();
  await writeState({ ...state, made: { ...state.made, packages: [...state.made.packages, ...missing] } });
  context.note('packages', missing.join(', '));
}

async function readFiles({ paths }: { paths: string[] }): Promise<Record<string, string | null>> {
  const entries = await Promise.all(
    paths
      .filter((path) => path.startsWith(`${LAYOUT.current}/`) || path === LAYOUT.nginxInclude)
      .map(async (path) => [path, await readFile(path, 'utf8').catch(() => null)] as const),
  );
  return Object.fromEntries(entries);
}

function releaseId(id: string): string {
  if (!isReleaseId(id)) throw new Error(`${id} is not the id of a release`);
  return id;
}
