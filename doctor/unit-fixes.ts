// Remedies that edit a unit's files: the edits as they are printed, and what systemd said when they were tried. Pure; the trial is doctor/run's.
import type { CauseReport, FactStore, Remedy, Report, Topology } from './engine/index.ts';

/** Edits of one unit's files that are worth a trial on its host. */
export interface UnitProposal {
  readonly code: string;
  readonly seat: 'be' | `gw:${string}`;
  readonly unit: string;
  readonly edits: readonly { readonly sed: readonly string[]; readonly path: string }[];
}

/** Only what is printed in this form is ever run, and only on paths without anything that a shell would read. */
const EDIT = /^\S+# sed -i( -E)? '([^']+)' (\/[\w@./:+-]+)$/;
const START = /^\S+# systemctl (?:re)?start ([\w@.:+-]+)$/;

/** What the causes of a report propose to edit. */
export function unitProposalsOf(report: Report, topology: Topology): readonly UnitProposal[] {
  return [...report.causes, ...report.latent].flatMap((cause) => proposalOf(cause, topology) ?? []);
}

function proposalOf({ code, host, remedy }: CauseReport, { backend, gateways }: Topology): UnitProposal | null {
  const edits = remedy.commands.flatMap((command) => {
    const [, extended, script, path] = EDIT.exec(command) ?? [];
    if (script === undefined || path === undefined) return [];
    return [{ sed: extended === undefined ? [script] : ['-E', script], path }];
  });
  const unit = remedy.commands.map((command) => START.exec(command)?.[1]).findLast((name) => name !== undefined);
  const gateway = gateways.find((item) => item.host.name === host);
  const seat = backend.host.name === host ? ('be' as const) : gateway ? (`gw:${gateway.id}` as const) : null;
  return edits.length > 0 && unit !== undefined && seat !== null ? { code, seat, unit, edits } : null;
}

/** Whether a remedy edits a file of a unit, whatever is known of that unit. */
const editsUnit = ({ commands }: Remedy): boolean => commands.some((command) => /^\S+# sed -i /.test(command));

/** Puts the outcome of the trial into the remedies of a report; what the deployer wrote, the deployer puts back. */
export function withUnitFixes(report: Report, store: FactStore, topology: Topology): Report {
  const fixed = (cause: CauseReport): CauseReport =>
    editsUnit(cause.remedy) ? { ...cause, remedy: fixOf(cause, store, topology) } : cause;
  return { ...report, causes: report.causes.map(fixed), latent: report.latent.map(fixed) };
}

function fixOf(cause: CauseReport, store: FactStore, topology: Topology): Remedy {
  const { remedy, host } = cause;
  const proposal = proposalOf(cause, topology);
  if (!proposal) return { ...remedy, tried: { state: 'not-tried', detail: 'this edit is not one that can be tried' } };
  if (proposal.edits.every(({ path }) => isDeployed(path, topology))) {
    const text = `${remedy.text}; the file was changed after the deployer wrote it: let the deployer put it back`;
    return { text, commands: ['viworks deploy apply --overwrite'] };
  }
  const trial = store.get('unit.trial', proposal.seat, proposal.code);
  if (trial.status !== 'known') {
    const detail = (trial.status === 'unknown' && trial.detail) || 'this run could not try it on the host';
    return { ...remedy, tried: { state: 'not-tried', detail } };
  }
  if (trial.value.ok) {
    return { ...remedy, tried: { state: 'ok', detail: `systemd-analyze verify on ${host} accepts the edit` } };
  }
  const [words = ''] = trial.value.output.split('\n');
  const detail = `systemd-analyze verify on ${host} refuses the edit: ${words.trim()}`;
  return { text: remedy.text, commands: [], tried: { state: 'failed', detail } };
}

/** Unit files of an installation that has an inventory: the deployer renders them. A drop-in of somebody else is not among them. */
function isDeployed(path: string, { kind, inferred }: Topology): boolean {
  const hasInventory = kind === 'viworks' && !inferred.includes('kind');
  return hasInventory && /^(\/opt\/viworks\/|\/etc\/systemd\/system\/viworks-[\w-]+\.\w+$)/.test(path);
}
