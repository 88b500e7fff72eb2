// What each subcommand does, from connecting to the last word. Holds no truth of its own: hosts say what they are.
import { describe, fromUnknown, runtimeErrors } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import type { HostFacts } from '../plan/manifest.ts';
import { gatewayOn } from '../plan/release.ts';
import { activateFleet } from './activate.ts';
import { describePlan, type PlannedHost } from './describe.ts';
import { type DeployContext, hostNames, type JudgedHost, judgeHost, type OpenHost, openHosts } from './hosts.ts';
import { welcomeDoctor, welcomeOperator } from './operator.ts';
import { type ApplyOptions, discardHost, holderOf, preflight, prepareHost } from './prepare.ts';
import { describeStrays, findStrays } from './strays.ts';

/** How a subcommand is run. */
export interface RunOptions extends ApplyOptions {
  readonly operator: boolean;
  /** Asks before anything is changed; resolves to false to stop. */
  confirm(question: string): Promise<boolean>;
}

/** Prints what would change. Exit code 2 when something would. */
export async function runPlan(context: DeployContext): Promise<number> {
  return withHosts(context, async (hosts, seconds) => {
    context.progress.text(describePlan(titleOf(context), hosts.map(planned(context))));
    tellStrays(hosts, context);
    const pending = hosts.filter((host) => !host.change.none).length;
    const summary = pending === 0 ? noChanges(hosts, seconds()) : `changes pending on ${plural(pending)}`;
    const exitCode = pending === 0 ? 0 : 2;
    context.progress.result({ summary, exitCode, hosts: hosts.map(resultOf) });
    return exitCode;
  });
}

/** Plans, asks, prepares, activates, commits. */
export async function runApply(context: DeployContext, options: RunOptions): Promise<number> {
  return withHosts(context, async (hosts, seconds) => {
    tellStrays(hosts, context);
    const changing = hosts.filter((host) => !host.change.none);
    if (changing.length === 0) {
      const told = await welcomeDoctor(backendOf(context, hosts), context);
      context.progress.result({
        summary: `${noChanges(hosts, seconds())}${told ? `\n${told}` : ''}`,
        exitCode: 0,
        changed: false,
        hosts: hosts.map(resultOf),
      });
      return 0;
    }
    context.progress.text(describePlan(titleOf(context), hosts.map(planned(context))));
    throwAll(changing.flatMap((host) => refusalOf(() => preflight(host, options))));
    if (!(await options.confirm('Apply? [y/N] '))) throw deployErrors.create('VW_DEPLOY_NOT_CONFIRMED');
    const prepared = await prepareAll(changing, options, context);
    const backend = backendOf(context, [...prepared, ...hosts]);
    const fresh = backend.facts?.manifest === null || backend.facts === undefined;
    const first = backend.change.first || fresh;
    const unchanged = hosts.filter((host) => host.change.none);
    await activateFleet({ changing: prepared, unchanged, backend }, context);
    const told = await welcomeOperator(backend, context, { force: options.operator || first });
    const summary = `committed on ${plural(prepared.length)} in ${seconds().toFixed(0)} s${told ? `\n${told}` : ''}`;
    context.progress.result({ summary, exitCode: 0, changed: true, hosts: prepared.map(resultOf) });
    return 0;
  });
}

/** Goes back to the release that was committed before the present one, on every host that has one. */
export async function runRollback(context: DeployContext, options: RunOptions): Promise<number> {
  return withHosts(context, async (hosts, seconds) => {
    const able = hosts.filter((host) => host.facts?.state.previous != null);
    if (able.length === 0)
      throw deployErrors.create('VW_DEPLOY_NOTHING_TO_ROLL_BACK', { host: hosts.map((host) => host.name).join(', ') });
    const lines = able.map(
      (host) => `  ${labelOf(context, host.name)}  ${host.facts?.state.current} → ${host.facts?.state.previous}`,
    );
    context.progress.text([`roll back ${context.inventory.project.name}`, ...lines]);
    if (!(await options.confirm('Roll back? [y/N] '))) throw deployErrors.create('VW_DEPLOY_NOT_CONFIRMED');
    const targets = await Promise.all(able.map((host) => earlier(host, context)));
    const backend = backendOf(context, [...targets, ...hosts]);
    const unchanged = hosts.filter((host) => !able.includes(host));
    await activateFleet({ changing: targets, unchanged, backend }, context);
    for (const host of able) {
      await host.link.request('mark-bad', { id: host.facts?.state.current, reason: 'rolled back by an operator' });
      await host.link.request('forget-previous');
    }
    const summary = `rolled back on ${plural(able.length)} in ${seconds().toFixed(0)} s (verified)`;
    context.progress.result({ summary, exitCode: 0, changed: true, rolledBack: true });
    return 0;
  });
}

/** Says what runs where. Exit code 2 when something is unsettled or drifted. */
export async function runStatus(context: DeployContext): Promise<number> {
  return withHosts(context, async (hosts) => {
    tellStrays(hosts, context);
    const lines = hosts.flatMap((host) => statusLines(labelOf(context, host.name), host.facts));
    const unsettled = hosts.some(
      (host) => host.facts && (host.facts.drift.length > 0 || host.change.unsettled !== undefined),
    );
    const exitCode = unsettled ? 2 : 0;
    context.progress.result({ summary: lines.join('\n'), exitCode, hosts: hosts.map(resultOf) });
    return exitCode;
  });
}

/** Takes everything off the hosts, or off one of them. */
export async function runRemove(
  context: DeployContext,
  options: RunOptions & { readonly keepData: boolean; readonly host?: string | undefined },
): Promise<number> {
  const names = options.host === undefined ? hostNames(context.inventory) : [knownHost(options.host, context)];
  const work = async (hosts: JudgedHost[], seconds: () => number): Promise<number> => {
    const installed = hosts.filter((host) => !host.link.bare());
    if (installed.length === 0) {
      context.progress.result({
        summary: `nothing is installed (${plural(hosts.length)})`,
        exitCode: 0,
        changed: false,
      });
      return 0;
    }
    const kept = options.keepData ? 'data in /var/lib/viworks stays' : 'with all data in /var/lib/viworks';
    context.progress.text([`remove viworks from ${installed.map((host) => host.name).join(', ')}, ${kept}`]);
    if (!(await options.confirm('Remove? [y/N] '))) throw deployErrors.create('VW_DEPLOY_NOT_CONFIRMED');
    for (const host of [...installed].reverse()) {
      await host.link.request('lock', { holder: holderOf(context, 'remove') });
      context.reached.removing.add(host.name);
      await host.link.request('remove', { keepData: options.keepData }, { ms: 240_000 });
      context.reached.removed.add(host.name);
      context.progress.event({ host: host.name, phase: 'remove', step: 'as it was before', status: 'done' });
    }
    context.progress.flush();
    context.progress.result({
      summary: `removed from ${plural(installed.length)} in ${seconds().toFixed(0)} s`,
      exitCode: 0,
      changed: true,
    });
    return 0;
  };
  return withHosts(context, work, names);
}

function knownHost(name: string, { inventory }: DeployContext): string {
  if (inventory.hosts[name]) return name;
  const problem = `--host: there is no [hosts.${name}]; known: ${Object.keys(inventory.hosts).join(', ')}`;
  throw runtimeErrors.create('VW_RUNTIME_USAGE', { problem, command: 'viworks deploy remove' });
}

// Taking a gateway out of the inventory takes nothing off its host, and one that was enrolled by hand is nobody's mistake: a remark.
function tellStrays(hosts: readonly JudgedHost[], { inventory, progress }: DeployContext): void {
  const strays = findStrays(
    hosts.flatMap((host) => host.facts?.connected ?? []),
    inventory,
  );
  for (const gateway of strays) {
    const detail = `gateway ${gateway} is connected but not in this inventory`;
    progress.event({ phase: 'plan', step: 'stray', status: 'note', detail });
  }
  if (strays.length > 0) progress.text(describeStrays(strays, inventory));
}

async function withHosts(
  context: DeployContext,
  work: (hosts: JudgedHost[], seconds: () => number) => Promise<number>,
  names = hostNames(context.inventory),
): Promise<number> {
  const { clock } = context;
  const started = clock.monotonicMs();
  const hosts = await openHosts(names, context);
  try {
    const judged = await Promise.all(hosts.map((host: OpenHost) => judgeHost(host, context)));
    return await work(judged, () => (clock.monotonicMs() - started) / 1000);
  } finally {
    await Promise.all(hosts.map((host) => host.link.close()));
  }
}

async function prepareAll(
  hosts: readonly JudgedHost[],
  options: ApplyOptions,
  context: DeployContext,
): Promise<JudgedHost[]> {
  const results = await Promise.allSettled(hosts.map((host) => prepareHost(host, options, context)));
  context.progress.flush();
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  if (failures.length === 0) return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  context.signal.throwIfAborted();
  await Promise.all(hosts.map((host) => discardHost(host, context.signal)));
  throwAll(failures);
  return [];
}

function refusalOf(judge: () => void): unknown[] {
  try {
    judge();
    return [];
  } catch (error) {
    return [error];
  }
}

function throwAll(failures: readonly unknown[]): void {
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw combined(failures);
}

// One error is thrown, the worst exit code first; the others are told with it.
function combined(failures: readonly unknown[]): Error {
  const [first, ...rest] = failures.map(fromUnknown).sort((a, b) => b.exitCode - a.exitCode);
  return new AggregateError([first, ...rest], failures.map(describe).join('; '));
}

// The release that was committed before, as the host has it: nothing is rendered anew and nothing is sent.
async function earlier(host: JudgedHost, context: DeployContext): Promise<JudgedHost> {
  const id = host.facts?.state.previous as string;
  await host.link.request('lock', { holder: holderOf(context, 'rollback') });
  const manifest = await host.link.request<JudgedHost['parcel']['manifest']>('read-manifest', { id });
  await host.link.request('validate', { id }, { ms: 120_000 });
  return { ...host, parcel: { manifest, contents: {} } };
}

function backendOf(context: DeployContext, hosts: readonly JudgedHost[]): JudgedHost {
  return hosts.find((host) => host.name === context.inventory.backend.host) as JudgedHost;
}

function titleOf({ inventory, artefacts }: DeployContext): Parameters<typeof describePlan>[0] {
  return { project: inventory.project.name, version: artefacts.version, revision: artefacts.revision };
}

function labelOf({ inventory }: DeployContext, host: string): string {
  return inventory.backend.host === host ? host : (gatewayOn(inventory, host)?.id ?? host);
}

function planned(context: DeployContext): (host: JudgedHost) => PlannedHost {
  return (host) => ({
    host: host.name,
    label: labelOf(context, host.name),
    change: host.change,
    appBytes: context.artefacts.app.bytes,
    runtimeBytes: host.runtime.bytes,
    sessions: host.facts?.sessions ?? null,
  });
}

const UNSETTLED = {
  hold: 'held: what runs was not verified; correct the cause, then: viworks deploy apply',
  activating: 'a deploy is at work, or ended half-way; the next viworks deploy apply takes it back first',
} as const;

function statusLines(label: string, facts: HostFacts | undefined): string[] {
  if (!facts) return [`${label.padEnd(12)}  nothing installed`];
  const { state, manifest, drift, inactive } = facts;
  const build = manifest ? ` · viworks ${manifest.version} (${manifest.revision})` : '';
  return [
    `${label.padEnd(12)}  ${state.phase} · ${state.current ?? 'no release'}${build}`,
    `${''.padEnd(12)}  previous ${state.previous ?? 'none'}${facts.sessions === null ? '' : ` · ${facts.sessions} session${facts.sessions === 1 ? '' : 's'}`}`,
    ...(state.phase === 'hold' || state.phase === 'activating'
      ? [`${''.padEnd(12)}  ! ${UNSETTLED[state.phase]}`]
      : []),
    ...inactive.map((unit) => `${''.padEnd(12)}  ! ${unit} is not active`),
    ...drift.map((entry) => `${''.padEnd(12)}  ! ${entry.path} ${entry.what}`),
    ...(facts.yielded ?? []).map((path) => `${''.padEnd(12)}  · ${path} is not ours and was left as it is`),
  ];
}

function resultOf(host: JudgedHost): object {
  const { name: host_, change } = host;
  const { none, from, to, restarts, reloadsNginx } = change;
  return { host: host_, changed: !none, from, to, restarts, reloadsNginx };
}

function noChanges(hosts: readonly unknown[], seconds: number): string {
  return `no changes (${plural(hosts.length)}, ${seconds.toFixed(1)} s)`;
}

function plural(count: number): string {
  return `${count} host${count === 1 ? '' : 's'}`;
}
