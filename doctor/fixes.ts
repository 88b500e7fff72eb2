// Remedies that edit a file: the edit built from the files at hand, and what the host said when it was tried. Pure; the trial is doctor/run's.
import type { CauseReport, FactStore, Remedy, Report, Topology } from './engine/index.ts';
import { changesOf, type FileEdit, filesOf, proposeEdit, unifiedDiff } from './nginx/index.ts';

/** An edit that is worth a trial on the backend's host. */
export interface Proposal {
  readonly code: string;
  readonly entry: string;
  readonly edits: readonly FileEdit[];
}

/** What the causes of a report propose to edit; one for each code. */
export function proposalsOf(report: Report, store: FactStore, topology: Topology): readonly Proposal[] {
  const { reading } = filesOf(store);
  if (reading.status !== 'known') return [];
  const codes = new Set([...report.causes, ...report.latent].filter(editsFiles).map((cause) => cause.code));
  return [...codes].flatMap((code) => {
    const edits = proposeEdit(code, reading.value, topology);
    return edits ? [{ code, entry: reading.value.entry, edits }] : [];
  });
}

/** Puts the diff and the outcome of its trial into the remedies of a report. */
export function withFixes(report: Report, store: FactStore, topology: Topology): Report {
  const proposals = proposalsOf(report, store, topology);
  const fixed = (cause: CauseReport): CauseReport =>
    editsFiles(cause) ? { ...cause, remedy: fixOf(cause, { proposals, store, topology }) } : cause;
  return { ...report, causes: report.causes.map(fixed), latent: report.latent.map(fixed) };
}

/** Causes in nginx's configuration; what happens to nginx at run time is mended by commands. */
function editsFiles(cause: CauseReport): boolean {
  return cause.layer === 'nginx' && cause.code.startsWith('NGX-');
}

interface Known {
  readonly proposals: readonly Proposal[];
  readonly store: FactStore;
  readonly topology: Topology;
}

/** A line of a configuration file among the commands. */
const isDirective = (line: string) => /[;{}]\s*$/.test(line);

function fixOf({ code, host, remedy }: CauseReport, { proposals, store, topology }: Known): Remedy {
  const proposal = proposals.find((item) => item.code === code);
  if (!proposal) {
    if (!remedy.commands.some(isDirective)) return remedy;
    return {
      ...remedy,
      tried: { state: 'not-tried', detail: 'the files do not show which lines to change' },
    };
  }
  const diff = unifiedDiff(proposal.edits);
  const commands = remedy.commands.filter((line) => !isDirective(line));
  const trial = store.get('nginx.trial', 'be', code);
  if (trial.status === 'known' && !trial.value.ok) {
    const words =
      trial.value.output.split('\n').find((line) => /\[(emerg|alert|crit)\]/.test(line)) ?? trial.value.output;
    return {
      text: remedy.text,
      commands: [],
      tried: { state: 'failed', detail: `nginx -t on ${host} refuses the edit: ${words.trim()}` },
    };
  }
  const tried =
    trial.status === 'known'
      ? ({ state: 'ok', detail: `nginx -t on ${host} accepts the edit` } as const)
      : ({
          state: 'not-tried',
          detail: (trial.status === 'unknown' && trial.detail) || 'this run could not try it on the host',
        } as const);
  return ownFiles(proposal, topology)
    ? { ...deployersFix(proposal), diff, tried }
    : { text: remedy.text, commands, diff, tried };
}

/** What the deployer of this installation has rendered: it says so in its first lines. */
function ownFiles({ edits }: Proposal, { kind, inferred }: Topology): boolean {
  const isOwn = kind === 'viworks' && !inferred.includes('kind');
  return (
    isOwn &&
    edits.every(({ before }) => /^# viworks release .*rendered by `viworks deploy`/m.test(before.slice(0, 400)))
  );
}

function deployersFix({ edits }: Proposal): Pick<Remedy, 'text' | 'commands'> {
  const places = edits.flatMap((edit) => changesOf(edit).map((change) => `${edit.path}:${change.line}`));
  return {
    text: `the file was changed after the deployer wrote it: let the deployer put it back (what is wrong is at ${places.join(', ')})`,
    commands: ['viworks deploy apply --overwrite'],
  };
}
