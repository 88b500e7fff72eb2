// A plan in words: per host what is sent, what restarts, and the diff of every rendered file. Pure.
import type { FileChange, HostChange } from './compare.ts';

/** A host of a plan. */
export interface PlannedHost {
  readonly host: string;
  readonly label: string;
  readonly change: HostChange;
  readonly appBytes: number;
  readonly runtimeBytes: number;
  readonly sessions: number | null;
}

/** The lines of a plan. */
export function describePlan(
  title: { readonly project: string; readonly version: string; readonly revision: string },
  hosts: readonly PlannedHost[],
): string[] {
  const lines = [`plan for ${title.project} · viworks ${title.version} (${title.revision})`];
  for (const planned of hosts) {
    const { change, label } = planned;
    if (change.none) {
      lines.push(`  ${label.padEnd(12)}  no changes · ${change.to}`);
      continue;
    }
    lines.push(`  ${label.padEnd(12)}  ${change.from ?? 'nothing installed'} → ${change.to}`);
    lines.push(`  ${''.padEnd(12)}  ${actionsOf(planned).join(' · ')}`);
    for (const drift of change.drift) {
      lines.push(`    ! ${drift.path} (${drift.what} on the host)`, ...drift.diff.map((line) => `      ${line}`));
    }
    for (const file of change.files) lines.push(...describeFile(file));
  }
  const back = hosts.filter(({ change }) => !change.none).map(({ change }) => change.from);
  if (back.length > 0) {
    const first = back.every((id) => id === null);
    lines.push(
      `  rollback      ${first ? 'to what was there before' : 'to the release that runs now'}; automatic if this program dies`,
    );
  }
  return lines;
}

function actionsOf({ change, appBytes, runtimeBytes, sessions }: PlannedHost): string[] {
  const actions: string[] = [];
  if (change.unsettled !== undefined) actions.push(change.unsettled);
  if (change.sendsRuntime) actions.push(`runtime ${megabytes(runtimeBytes)} to send`);
  if (change.sendsApp)
    actions.push(`app layer ${megabytes(appBytes)} to send${change.sendsRuntime ? '' : ' (runtime present)'}`);
  if (change.sendsHelper && !change.sendsRuntime) actions.push('host helper to send');
  if (change.installs.length > 0) actions.push(`installs ${change.installs.join(', ')}`);
  const verb = change.first ? 'starts' : 'restarts';
  if (change.restarts.length > 0) actions.push(`${verb} ${change.restarts.join(', ')}`);
  if (change.reloadsNginx) actions.push('nginx reload');
  if (sessions !== null && sessions > 0) {
    const dropped = change.restarts.includes('viworks-backend-agent.service') ? 'reconnect' : 'stay';
    actions.push(`${sessions} live session${sessions === 1 ? '' : 's'} ${dropped}`);
  }
  return actions.length > 0 ? actions : ['nothing restarts'];
}

function describeFile({ path, kind, diff }: FileChange): string[] {
  const sign = kind === 'added' ? '+' : kind === 'removed' ? '-' : '~';
  return [`    ${sign} ${path}`, ...diff.map((line) => `      ${line}`)];
}

/** Bytes for people. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`;
}
