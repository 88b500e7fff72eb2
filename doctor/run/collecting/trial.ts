// After the probes: every edit that a remedy proposes is tried on a private copy of the host's files, before anybody is shown it.
import { fact, unknown } from '../../engine/index.ts';
import type { Proposal } from '../../fixes.ts';
import { changesOf } from '../../nginx/index.ts';
import { parseNginxTest } from '../../probes/nginx-output.ts';
import { trialSection } from '../../probes/nginx-trial.ts';
import { type HostRound, look, read } from '../../probes/probe.ts';
import { runRound } from '../../probes/round.ts';
import { parseUnitTrial, unitTrialSection } from '../../probes/unit-trial.ts';
import type { UnitProposal } from '../../unit-fixes.ts';
import type { RunContext } from './context.ts';
import type { SiteView } from './rounds.ts';

/** `nginx -t` takes a tenth of a second; what takes longer is left untried, in ms. */
const TRIAL_MS = 4_000;

export async function tryEdits(
  context: RunContext,
  view: SiteView | undefined,
  proposals: readonly Proposal[],
): Promise<void> {
  const { clock, signal, log, topology, sudo, hints } = context;
  const link = view?.site.link;
  if (!view || !link || proposals.length === 0) return;
  await log.probe({ probe: 'nginx.trial', vantage: 'be', title: 'proposed edits, tried on a copy' }, async () => {
    const inContainer = topology.nginx.supervision === 'docker';
    const place = { container: null, unit: topology.nginx.unit, entry: hints.nginxEntry };
    const sections = proposals.map(({ code, entry, edits }) => {
      const files = edits.map((edit) => ({ path: edit.path, changes: changesOf(edit) }));
      return trialSection({ code, entry, files, place });
    });
    const result = inContainer ? null : await runRound({ link, sections, sudo, clock, signal, deadlineMs: TRIAL_MS });
    const round: HostRound = { ...view.round, atMs: clock.now(), ...(result ?? {}) };
    return proposals.map(({ code }) =>
      fact({
        key: 'nginx.trial',
        vantage: 'be',
        subject: code,
        probe: 'nginx.trial',
        reading: inContainer
          ? unknown('not-run', 'nginx runs in a container, whose files are not copied')
          : read(look(round, `nginx.trial.${code}`), parseNginxTest),
        evidence: { host: round.host, atMs: round.atMs, command: 'nginx -t', lines: [], sha256: '' },
      }),
    );
  });
}

/** The same for edits of units, on the host of the unit. */
export async function tryUnitEdits(
  { clock, signal, log, sudo }: RunContext,
  view: SiteView,
  proposals: readonly UnitProposal[],
): Promise<void> {
  const { site } = view;
  const { link } = site;
  if (!link || proposals.length === 0) return;
  await log.probe(
    { probe: 'unit.trial', vantage: site.id, title: 'proposed edits of units, tried on a copy' },
    async () => {
      const sections = proposals.map((proposal) => unitTrialSection(proposal));
      const result = await runRound({ link, sections, sudo, clock, signal, deadlineMs: TRIAL_MS });
      const round: HostRound = { ...view.round, atMs: clock.now(), ...result };
      return proposals.map(({ code, unit }) =>
        fact({
          key: 'unit.trial',
          vantage: site.id,
          subject: code,
          probe: 'unit.trial',
          reading: read(look(round, `unit.trial.${code}`), (text) => parseUnitTrial(text, unit)),
          evidence: {
            host: round.host,
            atMs: round.atMs,
            command: `systemd-analyze verify ${unit}`,
            lines: [],
            sha256: '',
          },
        }),
      );
    },
  );
}
