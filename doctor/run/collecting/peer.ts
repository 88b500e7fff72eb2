// Which process has to hold the backend's API port, and the look at the kernel of its host that proves it. Composition only.
import type { PeerLook, PortOwner } from '../../../agents/runtime/index.ts';
import { LostError } from '../../probes/link.ts';
import { peerSection, shareLooks } from '../../probes/peer.ts';
import { runRound } from '../../probes/round.ts';
import type { NetworkContext } from './network-context.ts';
import type { SiteView } from './rounds.ts';

/** A look reads three small tables; a host that takes longer proves nothing, in ms. */
const LOOK_MS = 3_000;

/** The look that is taken once a connection to the API port is open. */
export function watchPeer(context: NetworkContext, view: SiteView): PeerLook {
  const { clock, signal, topology, sudo } = context;
  const owner = ownerOf(context, view);
  const port = topology.backend.apiPort;
  return shareLooks(async () => {
    const { link } = view.site;
    if (owner.kind === 'unknown' || !link) return { ok: false, why: owner.kind === 'unknown' ? owner.why : 'no link' };
    const sections = [peerSection(owner, port)];
    const { sections: seen, gap } = await runRound({ link, sections, sudo, clock, signal, deadlineMs: LOOK_MS });
    if (gap?.reason === 'lost') throw new LostError(gap.detail);
    const section = seen.whole('peer.owner');
    if (!section?.ok) return { ok: false, why: `who holds port ${port} could not be read on ${view.site.ref.name}` };
    return { ok: true, text: section.text };
  });
}

type Owner = PortOwner | { readonly kind: 'unknown'; readonly why: string };

function ownerOf({ store, topology }: NetworkContext, view: SiteView): Owner {
  const { supervision } = topology.backend;
  if (supervision === 'docker') return { kind: 'unknown', why: 'the backend runs in a container' };
  // Under the name that systemd has for it, which need not be the one that was expected.
  const unit = view.units.get('backend')?.state.name ?? topology.backend.unit;
  if (unit !== null) return { kind: 'unit', unit };
  const process = store.get('process.state', 'be', 'backend');
  if (process.status !== 'known' || !process.value.running)
    return { kind: 'unknown', why: 'no process of the backend was seen' };
  return { kind: 'process', pid: process.value.pid };
}
