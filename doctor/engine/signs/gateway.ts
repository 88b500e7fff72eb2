// Signs about one gateway: its link, its name resolution, its way to the public port, TLS as it sees it, its configured URL.
import {
  type Connection,
  judge,
  negate,
  not,
  type Seat,
  type Sign,
  sign,
  type Tri,
  type View,
} from '../vocabulary/index.ts';
import { upgraded } from './backend.ts';
import { gatewayPart, hostOf } from './parts.ts';

const publicPort = (view: View) => view.topology.publicPort;

/** Rows that can be the agent's: right remote port, alive (not just being wound up), and an owner that is the agent or cannot be seen. */
function linkRows(view: View, rows: readonly Connection[], port: number): readonly Connection[] {
  const unit = view.gateway?.unit ?? null;
  return rows.filter(
    (row) =>
      row.remotePort === port && (row.unit === null || unit === null || row.unit === unit) && row.state !== 'TIME-WAIT',
  );
}

/** The gateway itself, the registry and the kernel must not disagree; the first two outrank a bare socket. */
const linkUp = sign(
  [
    (view) => `${hostOf(view, 'gw')} holds a live link to the backend`,
    (view) => `${hostOf(view, 'gw')} holds no link to the backend`,
  ],
  (view) => {
    const own = judge(view, ['gateway.health', 'gw'], (seen) =>
      seen.link === null ? 'unknown' : ['up', 'connected', 'online', 'ready', 'healthy'].includes(seen.link),
    );
    const listed = view.gateway
      ? judge(view, ['registry.entry', 'op', view.gateway.id], (entry) => entry.listed && entry.online)
      : 'no';
    const registryApplies = view.topology.kind === 'viworks';
    if (own === 'no' || (registryApplies && listed === 'no')) return 'no';
    if (own === 'yes' || (registryApplies && listed === 'yes')) return 'yes';
    return judge(view, ['tcp.connections', 'gw'], (rows) =>
      linkRows(view, rows, publicPort(view)).some((row) => row.state === 'ESTABLISHED'),
    );
  },
);
const linkDown = not(linkUp);

/** Neither a link nor an attempt: no socket to the public or the agents port in any live state. */
const noSockets = sign(
  [
    (view) => `${hostOf(view, 'gw')} has no socket to port ${publicPort(view)} and none that is being opened`,
    (view) => `${hostOf(view, 'gw')} has a socket to the backend, or is opening one`,
  ],
  (view) =>
    judge(view, ['tcp.connections', 'gw'], (rows) =>
      [publicPort(view), view.topology.backend.agentsPort].every((port) => linkRows(view, rows, port).length === 0),
    ),
);

/** Where no registry applies, neither of the two holds. */
const registryOffline = sign('the backend does not list the gateway as online', (view) =>
  view.gateway
    ? judge(view, ['registry.entry', 'op', view.gateway.id], (entry) => !(entry.listed && entry.online))
    : 'no',
);
const registryOnline = sign(
  ['the backend lists the gateway as online', 'the backend does not list the gateway as online'],
  (view) =>
    view.gateway
      ? judge(view, ['registry.entry', 'op', view.gateway.id], (entry) => entry.listed && entry.online)
      : 'no',
);

const gatewayUpgrades = sign(
  [
    (view) => `an upgrade from ${hostOf(view, 'gw')} through nginx gets 101`,
    (view) => {
      const seen = view.value('ws.upgrade', 'gw', 'public');
      return `an upgrade from ${hostOf(view, 'gw')} through nginx gets no 101 (${seen?.status ?? seen?.ended ?? 'no answer'})`;
    },
  ],
  (view) => judge(view, ['ws.upgrade', 'gw', 'public'], upgraded),
);

const gatewayProcess = sign(
  [
    (view) => `an agent process runs on ${hostOf(view, 'gw')}`,
    (view) => `no agent process runs on ${hostOf(view, 'gw')}`,
  ],
  (view) => judge(view, ['process.state', gatewayPart.seat, gatewayPart.part], (process) => process.running),
);
const noGatewayProcess = not(gatewayProcess);

/** The dial of the public port from one vantage. */
function publicDial(seat: Seat, outcome: 'connected' | 'refused' | 'timeout' | 'unreachable'): Sign {
  const text = (view: View, what: string) => `a dial of port ${publicPort(view)} from ${hostOf(view, seat)}: ${what}`;
  return sign(
    [
      (view) => text(view, outcome),
      (view) => text(view, view.value('tcp.connect', seat, 'public')?.outcome ?? `not ${outcome}`),
    ],
    (view) => judge(view, ['tcp.connect', seat, 'public'], (seen) => seen.outcome === outcome),
  );
}

/** Addresses that are certainly the backend's: its own, the one it is dialled by, and what the operator's resolver says. */
function backendAddresses(view: View): readonly string[] {
  const own = view.value('host.addresses', 'be') ?? [];
  const dialled = view.topology.backend.host.address;
  return [...new Set([...own, ...(/^[\d.]+$|:/.test(dialled) ? [dialled] : [])])];
}

const resolves = (view: View) => {
  const answer = view.value('dns.answer', 'gw');
  const means = answer?.addresses.length
    ? `is ${answer.addresses.join(', ')}`
    : `does not resolve (${answer?.error ?? ''})`;
  return `on ${hostOf(view, 'gw')} ${view.topology.serverName} ${means}`;
};

/** The name leads the gateway to addresses that are none of the backend's. */
const nameLeadsElsewhere = sign(
  [
    (view) => {
      const answer = view.value('dns.answer', 'gw');
      return `on ${hostOf(view, 'gw')} ${view.topology.serverName} is ${answer?.addresses.join(', ') || 'another address'}, not ${backendAddresses(view).join(' or ')}`;
    },
    resolves,
  ],
  (view) =>
    judge(view, ['dns.answer', 'gw'], (answer): Tri => {
      const right = backendAddresses(view);
      if (right.length === 0) return 'unknown';
      if (answer.error !== null || answer.addresses.length === 0) return 'no';
      if (answer.addresses.some((address) => right.includes(address))) return 'no';
      const others = [view.read('dns.answer', 'op'), view.read('dns.answer', 'be')];
      const agrees = others.some(
        (other) =>
          other.status === 'known' && other.value.addresses.some((address) => answer.addresses.includes(address)),
      );
      return agrees ? 'no' : 'yes';
    }),
);
const nameRight = sign(
  [(view) => `on ${hostOf(view, 'gw')} ${view.topology.serverName} leads to the backend`, resolves],
  (view) =>
    judge(view, ['dns.answer', 'gw'], (answer) => {
      if (answer.error !== null || answer.addresses.length === 0) return 'no';
      return negate(nameLeadsElsewhere.holds(view));
    }),
);

function verification(seat: Seat, claim: string, test: (code: string) => boolean): Sign {
  const seen = (view: View) => view.value('tls.certificate', seat, 'public');
  const judged = (view: View) => {
    const of = seen(view);
    return of ? ` (${of.verification}, judged with ${of.trust})` : '';
  };
  return sign(
    [
      (view) => `${hostOf(view, seat)} ${claim}${judged(view)}`,
      (view) => {
        const of = seen(view);
        if (of?.handshake !== 'ok')
          return `${hostOf(view, seat)} is shown no certificate${of?.error ? ` (${of.error})` : ''}`;
        return `${hostOf(view, seat)} ${of.verification === 'OK' ? 'accepts' : 'rejects'} the certificate${judged(view)}`;
      },
    ],
    (view) =>
      judge(view, ['tls.certificate', seat, 'public'], (seen) =>
        seen.handshake === 'ok' ? test(seen.verification) : 'no',
      ),
  );
}

/** A URL in its parts; user and password are no part of it. Written out, since the engine has no URL of its own. */
export interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** Null for what is no URL, or holds a placeholder. */
export function partsOfUrl(url: string | null | undefined): UrlParts | null {
  const match = url?.match(/^([a-z]+):\/\/(?:[^@/?#]*@)?(\[[^\]]+\]|[^/:?#]+)(?::(\d+))?([^?#]*)/i);
  if (!match || url?.includes('${')) return null;
  const scheme = (match[1] ?? '').toLowerCase();
  const usual = scheme === 'ws' || scheme === 'http' ? 80 : 443;
  const host = (match[2] ?? '').toLowerCase().replace(/^\[|\]$/g, '');
  return { scheme, host, port: match[3] === undefined ? usual : Number(match[3]), path: match[4] || '/' };
}

/** The URL in the gateway's own configuration. */
function configuredUrl(view: View): UrlParts | null {
  return partsOfUrl(view.value('agent.config', 'gw', 'gateway')?.url);
}

/** Its path; null when not known. */
function configuredPath(view: View): string | null {
  return configuredUrl(view)?.path ?? null;
}

/** It names another host or another port than the canonical URL; the scheme is another matter. */
const configuredOriginDiffers = sign(
  [
    (view) => {
      const config = view.value('agent.config', 'gw', 'gateway');
      const line = config?.urlPlace ? `:${config.urlPlace.line}` : '';
      return `${config?.path ?? 'its configuration'}${line} says ${config?.urlPlace?.key ?? 'url'} = "${config?.url ?? '…'}"`;
    },
    "the gateway's configuration names no other host or port",
  ],
  (view) =>
    judge(view, ['agent.config', 'gw', 'gateway'], (config): Tri => {
      const own = partsOfUrl(config.url);
      const meant = partsOfUrl(view.topology.url);
      if (!own || !meant || own.scheme !== meant.scheme) return config.url === null ? 'unknown' : 'no';
      return own.host !== meant.host || own.port !== meant.port ? 'yes' : 'no';
    }),
);

const configuredPathDiffers = sign(
  [
    (view) =>
      `the gateway's configuration asks for ${configuredPath(view) ?? 'another path'}, not ${view.topology.path}`,
    (view) => `the gateway's configuration asks for ${view.topology.path}`,
  ],
  (view) =>
    judge(view, ['agent.config', 'gw', 'gateway'], (config) =>
      config.url === null ? 'unknown' : configuredPath(view) !== view.topology.path,
    ),
);

/** Skew of a host's clock against the operator's, certain beyond `seconds`. */
function clockOff(seat: 'be' | 'gw', seconds: number, direction: 'behind' | 'ahead' | 'either'): Sign {
  const off = (view: View) =>
    `the clock of ${hostOf(view, seat)} is ${Math.round((view.value('host.clock', seat)?.offsetMs ?? 0) / 1000)} s off`;
  return sign([off, off], (view) =>
    judge(view, ['host.clock', seat], (clock) => {
      const signed = direction === 'behind' ? -clock.offsetMs : clock.offsetMs;
      const skew = direction === 'either' ? Math.abs(clock.offsetMs) : signed;
      return skew - clock.errorMs > seconds * 1000;
    }),
  );
}

/** What rules and checks take from here. */
export const gatewaySigns = {
  linkUp,
  linkDown,
  noSockets,
  registryOffline,
  registryOnline,
  gatewayUpgrades,
  gatewayProcess,
  noGatewayProcess,
  publicDial,
  nameLeadsElsewhere,
  nameRight,
  verification,
  configuredUrl,
  configuredPath,
  configuredPathDiffers,
  configuredOriginDiffers,
  clockOff,
};
