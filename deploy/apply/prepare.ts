// Everything before the switch: helper, packages, layers, release, accounts, secrets, validation. Nothing live is touched, and
// what fails here leaves a host as it was.
import { hostname, userInfo } from 'node:os';
import { describe, fromUnknown } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import { ENROLMENT_SECRET, gatewayOn } from '../plan/release.ts';
import { type DeployContext, type JudgedHost, judgeHost } from './hosts.ts';

/** What an operator allowed. */
export interface ApplyOptions {
  readonly overwrite: boolean;
  readonly retryBad: boolean;
  /** Go on although the release that runs would not be valid any more. */
  readonly noWayBack: boolean;
}

// Rollback needs no room; what has to fit are the layers, a release and the journal, with as much again in reserve.
const RESERVE_BYTES = 64 * 1024 * 1024;
const APT_MS = 400_000;

/** Looks at a host before any host is touched; throws with the exit code of what stands in the way. */
export function preflight(host: JudgedHost, options: ApplyOptions): void {
  if (host.link.bare()) refuseUnfit(host);
  // What an unfinished deploy left is judged after it was taken back.
  else if (host.change.unsettled === undefined) refuseUnready(host, options);
}

/** Brings one host to the point where only the switch is left. Gives the host as judged last. */
export async function prepareHost(
  host: JudgedHost,
  options: ApplyOptions,
  context: DeployContext,
): Promise<JudgedHost> {
  const { progress, clock } = context;
  const step = async <T>(name: string, work: () => Promise<T>, detail?: (value: T) => string): Promise<T> => {
    const started = clock.monotonicMs();
    try {
      const value = await work();
      const ms = clock.monotonicMs() - started;
      progress.event({ host: host.name, phase: 'prepare', step: name, status: 'done', ms, detail: detail?.(value) });
      return value;
    } catch (error) {
      const ms = clock.monotonicMs() - started;
      progress.event({ host: host.name, phase: 'prepare', step: name, status: 'failed', ms, detail: describe(error) });
      throw error;
    }
  };
  const { link } = host;
  const readied = link.bare() ? await step('bootstrapped', () => bootstrap(host, context)) : host;
  await link.request('lock', { holder: holderOf(context) });
  if (!link.bare() && readied.facts?.helper !== readied.helper.digest)
    await step('helper sent', () => renewHelper(readied, context));
  let judged = await settle(readied, context);
  refuseUnready(judged, options);
  if (judged.change.drift.length > 0) {
    const kept = await link.request<string[]>('keep-edited', { drift: judged.change.drift });
    if (kept.length > 0)
      progress.event({ host: host.name, phase: 'prepare', step: 'kept', status: 'note', detail: kept.join(', ') });
  }
  if (judged.change.installs.length > 0) {
    await step(`${judged.change.installs.join(', ')} installed`, () =>
      link.request('packages', { names: judged.change.installs }, { ms: APT_MS }),
    );
    judged = await judgeHost(judged, context);
  }
  if (judged.change.sendsApp) await step('app sent', () => sendApp(judged, context));
  const { id } = judged.parcel.manifest;
  await step('staged', async () => {
    await link.request('stage', judged.parcel);
    await link.request('accounts', { release: id });
    await link.request('secrets', { files: secretsOf(judged, context) });
  });
  await step(
    'validated as if switched',
    () => link.request<string[]>('validate', { id }, { ms: 120_000 }),
    (said) => exposures(said),
  );
  const { from } = judged.change;
  // A way back that does not work today is none: it is looked at before anything is switched.
  if (from !== null && from !== id && !options.noWayBack) {
    // What runs is the way back, also where somebody edited it.
    const asItIs = judged.change.drift.length > 0;
    await step('way back validated', () => validateWayBack(host, { id: from, asItIs }));
  }
  return judged;
}

/** After a refusal: takes away what preparing put there for nothing. */
export async function discardHost(host: JudgedHost, signal: AbortSignal): Promise<void> {
  if (signal.aborted || host.link.bare()) return;
  await host.link.request('discard', { id: host.parcel.manifest.id }).catch(() => undefined);
}

async function bootstrap(host: JudgedHost, context: DeployContext): Promise<JudgedHost> {
  const packed = await host.runtime.pack(context.signal);
  await host.link.bootstrap({ runtime: host.runtime.digest, packed, helper: host.helper });
  return judgeHost(host, context);
}

async function renewHelper(host: JudgedHost, context: DeployContext): Promise<void> {
  const { link, runtime, facts, helper } = host;
  if (!facts?.runtimes.includes(runtime.digest)) {
    const file = await runtime.pack(context.signal);
    await link.request('put-runtime', { digest: runtime.digest }, { payload: { file } });
  }
  await link.request('put-helper', { digest: helper.digest }, { payload: helper.content });
  await link.replaceHelper();
  await link.request('lock', { holder: holderOf(context) });
}

async function validateWayBack({ name, link }: JudgedHost, args: { id: string; asItIs: boolean }): Promise<void> {
  try {
    await link.request<string[]>('validate', args, { ms: 120_000 });
  } catch (error) {
    const { code, detail } = fromUnknown(error);
    if (code !== 'VW_DEPLOY_REFUSED') throw error;
    throw deployErrors.create('VW_DEPLOY_NO_WAY_BACK', { ...detail, host: name }, error);
  }
}

// Of everything that was checked, the figures are worth telling.
function exposures(said: readonly string[]): string {
  return said
    .filter((line) => line.includes('exposure'))
    .map((line) => line.replace(/^viworks-|\.service/g, ''))
    .join(', ');
}

// A deploy that died half-way is taken back before anything new is begun.
async function settle(host: JudgedHost, context: DeployContext): Promise<JudgedHost> {
  const phase = host.facts?.state.phase;
  if (phase === 'activating') {
    const reason = 'an earlier deploy ended before it confirmed';
    await host.link.request('go-back', { reason, blame: false }, { ms: 240_000 });
    const event = {
      host: host.name,
      phase: 'prepare',
      step: 'an unfinished deploy was taken back',
      status: 'done',
    } as const;
    context.progress.event(event);
    return judgeHost(host, context);
  }
  return host.facts?.helper === host.helper.digest ? host : judgeHost(host, context);
}

async function sendApp(host: JudgedHost, { artefacts }: DeployContext): Promise<void> {
  const payload = await artefacts.app.pack();
  await host.link.request('put-app', { digest: artefacts.app.digest, files: artefacts.app.files }, { payload });
}

function secretsOf(host: JudgedHost, { tls, inventory }: DeployContext): object[] {
  return [
    ...(host.parcel.manifest.nginx ? [{ name: tls.keyName, content: tls.keyPem }] : []),
    // The unit loads it as a credential, so it has to be there even when there is nothing to say.
    ...(gatewayOn(inventory, host.name) ? [{ name: ENROLMENT_SECRET, content: '', ifMissing: true }] : []),
  ];
}

/** Who holds a host's lock, in words. */
export function holderOf({ env, inventory, clock }: DeployContext, what = 'apply'): string {
  const user = `${env.SUDO_USER || userInfo().username}@${hostname()}`;
  return `${user}, project ${inventory.project.name}, since ${new Date(clock.now()).toISOString()} (${what})`;
}

function refuseUnfit(host: JudgedHost): void {
  const bare = host.link.bare() ?? {};
  const unfit = (what: string, remedy: string): Error =>
    deployErrors.create('VW_DEPLOY_HOST_UNFIT', { host: host.name, what, remedy });
  if (bare.root !== 'yes') {
    const reason = 'sudo asks for a password, or does not know this user';
    const detail = { host: host.name, user: host.plan.user, reason, helper: '/usr/local/lib/viworks/host' };
    throw deployErrors.create('VW_DEPLOY_PRIVILEGE', detail);
  }
  const missing = (bare.missing ?? '').trim();
  if (missing !== '')
    throw unfit(`these programs are missing: ${missing}`, `install them there: apt-get install ${packagesOf(missing)}`);
  if (bare.libstdcxx === 'no') throw unfit('libstdc++.so.6 is missing', 'install it there: apt-get install libstdc++6');
  refuseFull(host, Number(bare.freeKb) * 1024);
}

function packagesOf(programs: string): string {
  const names: Readonly<Record<string, string>> = {
    systemctl: 'systemd',
    perl: 'perl-base',
    gzip: 'gzip',
    head: 'coreutils',
    sha256sum: 'coreutils',
  };
  return [...new Set(programs.split(/\s+/).map((program) => names[program] ?? 'util-linux'))].join(' ');
}

function refuseFull(host: JudgedHost, freeBytes: number): void {
  const { change, runtime } = host;
  // A runtime lies there twice for a moment: as it arrives and under its name.
  const needed = (change.sendsRuntime ? runtime.bytes : 0) + RESERVE_BYTES;
  if (!Number.isFinite(freeBytes) || freeBytes >= needed) return;
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MB`;
  const detail = { host: host.name, directory: '/opt', free: megabytes(freeBytes), needed: megabytes(needed) };
  throw deployErrors.create('VW_DEPLOY_SPACE', detail);
}

function refuseUnready(host: JudgedHost, options: ApplyOptions): void {
  const { facts, change, name } = host;
  if (!facts) return;
  if (facts.systemd < 252) {
    const what = `systemd ${facts.systemd} is older than 252`;
    throw deployErrors.create('VW_DEPLOY_HOST_UNFIT', { host: name, what, remedy: 'use Debian 12 or newer' });
  }
  if (host.parcel.manifest.nginx && !facts.nginx && change.installs.length === 0) {
    const remedy = 'install nginx there, or let the deployer do it: install = true under [backend.nginx]';
    throw deployErrors.create('VW_DEPLOY_HOST_UNFIT', { host: name, what: 'nginx is not installed', remedy });
  }
  refuseFull(host, facts.freeBytes);
  const bad = facts.bad.find((release) => release.id === change.to);
  if (bad && !options.retryBad) {
    throw deployErrors.create('VW_DEPLOY_BAD_RELEASE', { host: name, release: bad.id, reason: bad.reason });
  }
  const edited = change.drift.filter((drift) => drift.what === 'edited' || drift.what === 'replaced');
  if (edited.length > 0 && !options.overwrite) {
    const files = edited.map((drift) => `  ${drift.path} (${drift.what})`).join('\n');
    throw deployErrors.create('VW_DEPLOY_HAND_EDITED', { host: name, count: edited.length, files });
  }
}
