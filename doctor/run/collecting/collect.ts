// One run from the outside in: open the hosts, one round each, then the live probes. Gives what is known when it ends, however it ends.
import type { Topology } from '../../engine/index.ts';
import type { Proposal } from '../../fixes.ts';
import type { UnitProposal } from '../../unit-fixes.ts';
import type { RunContext } from './context.ts';
import { probeNetwork } from './network.ts';
import type { NetworkContext } from './network-context.ts';
import { lookAtSite, type SiteView } from './rounds.ts';
import { lookAgain } from './second-look.ts';
import { broke, openSites, type Site, type SiteContext, toldNothing } from './sites.ts';
import { tryEdits, tryUnitEdits } from './trial.ts';

export interface CollectOptions extends Omit<NetworkContext, 'views'>, Omit<SiteContext, keyof RunContext> {
  /** A host was opened, or wholly looked at: there are new facts. */
  advance(topology: Topology): void;
  /** After the probes: what to try on the backend's host. */
  propose(topology: Topology): { readonly nginx: readonly Proposal[]; readonly units: readonly UnitProposal[] };
  /** After the rounds: lets what was found out be added to what was told. */
  refine(topology: Topology, views: readonly SiteView[]): Topology;
}

/** Facts go to the store as they come, so that a run which is stopped still has what was seen. */
export async function collect(options: CollectOptions): Promise<void> {
  const { clock, signal, log } = options;
  let { topology } = options;
  const opening = openSites(options);
  const sites: Site[] = [];
  const unseen = new Set<string>();
  try {
    const mute = (site: Site, said: string, why: string): void => {
      unseen.add(site.id);
      toldNothing({ clock, log }, site, { said, why });
    };
    const looks = opening.map(async (opened) => {
      const site = await opened;
      sites.push(site);
      options.advance(topology);
      const view = await lookAtSite({ ...options, mute }, site);
      options.advance(topology);
      return view;
    });
    const views = (await Promise.all(looks)).filter((view) => view !== null);
    topology = options.refine(topology, views);
    const context: NetworkContext = { ...options, topology, views };
    if (!signal.aborted) await probeNetwork(context);
    const backend = views.find((view) => view.site.id === 'be');
    if (!signal.aborted) await lookAgain(context, backend);
    if (!signal.aborted) {
      const { nginx, units } = options.propose(topology);
      await Promise.all([
        tryEdits(context, backend, nginx),
        ...views.map((view) =>
          tryUnitEdits(
            context,
            view,
            units.filter(({ seat }) => seat === view.site.id),
          ),
        ),
      ]);
    }
    // What a stopped run takes down with it did not break.
    for (const site of signal.aborted ? [] : sites) {
      const at = site.link?.brokeAtMs ?? null;
      if (at === null) continue;
      unseen.add(site.id);
      broke({ clock, log }, site, at);
    }
  } finally {
    await Promise.allSettled(sites.flatMap((site) => (site.link ? [site.link.close()] : [])));
    for (const site of sites) {
      if (site.link && !unseen.has(site.id))
        log.emit({
          type: 'host.state',
          host: site.id,
          name: site.ref.name,
          state: 'done',
          detail: '',
          atMs: clock.now(),
        });
    }
  }
}
