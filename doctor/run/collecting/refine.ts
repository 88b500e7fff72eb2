// What the rounds tell about an installation that nobody described: our kind or another one, in containers or under systemd. Pure.
import type { Topology } from '../../engine/index.ts';
import { findContainer } from '../../probes/docker.ts';
import { look } from '../../probes/probe.ts';
import type { SiteView } from './rounds.ts';

/** Only what is marked as inferred is changed; what was told stays as it was told. */
export function refineTopology(topology: Topology, views: readonly SiteView[]): Topology {
  const backend = views.find((view) => view.site.id === 'be');
  if (!backend) return topology;
  const named = nameContainers(topology, backend);
  if (!topology.inferred.includes('kind')) return named;
  const texts = views.flatMap(({ round }) => [look(round, 'unit.state'), look(round, 'process.state')]);
  const ours = texts.some((seen) => seen.ok && /\/opt\/viworks\/|viworks\/dist\/main\.js/.test(seen.text));
  return { ...named, kind: ours ? 'viworks' : 'other' };
}

function nameContainers(topology: Topology, { containers }: SiteView): Topology {
  if (containers.length === 0) return topology;
  const { backend, nginx } = topology;
  const ports = [backend.apiPort, backend.agentsPort];
  const own = findContainer(containers, { part: 'backend', name: backend.container, ports, vantage: 'be/ns:agent' });
  const front = findContainer(containers, {
    part: 'nginx',
    name: nginx.container,
    ports: [topology.publicPort],
    vantage: 'be/ns:nginx',
  });
  return {
    ...topology,
    backend: backend.supervision === 'docker' ? { ...backend, container: own?.name ?? backend.container } : backend,
    nginx: nginx.supervision === 'docker' ? { ...nginx, container: front?.name ?? nginx.container } : nginx,
  };
}
