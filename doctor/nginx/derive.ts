// Facts from facts: what nginx's files mean for the requests that matter. Run after the probes and again on replay, never recorded.
import {
  apiPath,
  type Evidence,
  type Fact,
  type FactStore,
  fact,
  known,
  type NginxFiles,
  type Reading,
  type RouteFact,
  type Topology,
  unknown,
} from '../engine/index.ts';
import { parseDump, parseNginx } from './parse.ts';
import { routeRequest } from './route.ts';

/** The id under which derived facts are kept; a recording leaves them out. */
export const derivedProbe = 'derived:nginx';

export function deriveRoutes(store: FactStore, topology: Topology): readonly Fact[] {
  const { reading, source } = filesOf(store);
  if (!source) return [];
  const paths: readonly (readonly [subject: string, path: string, upgrade: boolean])[] = [
    ['agents', topology.path, true],
    ['api', apiPath(topology), false],
    ...topology.gateways.flatMap((gateway): readonly (readonly [string, string, boolean])[] => {
      const config = store.get('agent.config', `gw:${gateway.id}`, 'gateway');
      const url = config.status === 'known' ? config.value.url : null;
      const path = url?.match(/^[a-z]+:\/\/[^/?#]+([^?#]*)/i)?.[1];
      return path === undefined ? [] : [[`gw:${gateway.id}`, path || '/', true]];
    }),
  ];
  return paths.map(([subject, path, upgrade]) => {
    const derived = derive(reading, { store, topology, path, upgrade });
    const evidence = evidenceFor(source.evidence, derived, reading.status === 'known' ? reading.value : null);
    return fact({ key: 'nginx.route', vantage: 'be', subject, probe: derivedProbe, reading: derived, evidence });
  });
}

/** The files themselves, or what `nginx -T` printed of them. */
export function filesOf(store: FactStore): { readonly reading: Reading<NginxFiles>; readonly source: Fact | null } {
  const reading = store.get('nginx.files', 'be');
  const dumped = store.get('nginx.test', 'be');
  if (
    reading.status !== 'known' &&
    dumped.status === 'known' &&
    dumped.value.output.includes('# configuration file ')
  ) {
    return { reading: known(parseDump(dumped.value.output)), source: store.find('nginx.test', 'be') };
  }
  return { reading, source: store.find('nginx.files', 'be') };
}

interface Question {
  readonly store: FactStore;
  readonly topology: Topology;
  readonly path: string;
  readonly upgrade: boolean;
}

function derive(files: Reading<NginxFiles>, { store, topology, path, upgrade }: Question): Reading<RouteFact> {
  if (files.status !== 'known') return files;
  const configuration = parseNginx(files.value);
  if (configuration.directives.length === 0) return unknown('unparsed', `${files.value.entry} could not be read`);
  const processes = store.get('nginx.processes', 'be');
  return known(
    routeRequest(
      configuration,
      {
        userAgent: agentName(store, topology),
        host: topology.serverName,
        port: topology.publicPort,
        path,
        tls: topology.url.startsWith('wss:'),
        upgrade,
      },
      {
        agentsPort: topology.backend.agentsPort,
        heartbeatSeconds: topology.backend.heartbeatSeconds,
        version: processes.status === 'known' ? processes.value.version : null,
      },
    ),
  );
}

/** What the agents call themselves, where their version is known. */
function agentName(store: FactStore, topology: Topology): string | undefined {
  if (topology.kind !== 'viworks') return undefined;
  const versions = topology.gateways.flatMap(({ id }) => {
    const health = store.get('gateway.health', `gw:${id}`);
    return health.status === 'known' && health.value.version ? [health.value.version] : [];
  });
  return versions[0] === undefined ? undefined : `viworks-gateway/${versions[0]}`;
}

/** Points at the lines of the file that decide the route. */
function evidenceFor(of: Evidence, route: Reading<RouteFact>, files: NginxFiles | null): Evidence {
  if (route.status !== 'known' || !files) return of;
  const { server, location, target, upgradeHeader, connectionHeader } = route.value;
  const places = [server, location, target?.place, upgradeHeader.place, connectionHeader.place];
  const lines = places.flatMap((place) => {
    const text = place && files.files.find((file) => file.path === place.file)?.text.split('\n')[place.line - 1];
    return place && text ? [`${place.file}:${place.line}  ${text.trim()}`] : [];
  });
  return { ...of, lines: [...new Set(lines)].slice(0, 5) };
}
