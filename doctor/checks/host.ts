// Checks on the machines: can they be seen, is there room on the disks, do the clocks agree.
import { type Check, defineCheck, type HostAccess, type Mount, type Verdict, type View } from '../engine/index.ts';
import { asWarning, skipped, verdictOf } from './outcome.ts';

function access(view: View, subject: 'be' | 'gw', transport: 'ssh' | 'local' | undefined): Verdict {
  if (transport !== 'ssh') return skipped('this machine');
  const reading = view.read('host.access', 'op', subject);
  if (reading.status !== 'known') return { state: 'unknown', detail: 'not looked at' };
  const { outcome, message } = reading.value satisfies HostAccess;
  if (outcome === 'ok') return { state: 'pass', detail: '' };
  return { state: 'warn', detail: message || outcome };
}

const accessBackend = defineCheck({
  id: 'host.backend.visible',
  title: 'the backend host can be looked at over SSH',
  hop: 'access',
  per: 'site',
  host: 'be',
  needs: ['host.access'],
  dependsOn: [],
  outage: false,
  evaluate: (view) => access(view, 'be', view.topology.backend.host.transport),
});

const accessGateway = defineCheck({
  id: 'host.gateway.visible',
  title: 'the gateway host can be looked at over SSH',
  hop: 'access',
  per: 'gateway',
  host: 'gw',
  needs: ['host.access'],
  dependsOn: [],
  outage: false,
  evaluate: (view) => access(view, 'gw', view.gateway?.host.transport),
});

/**
 * "Healthy" is a word about what was seen. A gateway's host that could not be looked at may pass for what came back from it: a command, or
 * its name in the registry. For the backend's host only a command that came back through it can stand.
 */
const allSeen = defineCheck({
  id: 'host.all.visible',
  title: 'every host was looked at, or has proven from afar that it works',
  hop: 'access',
  per: 'site',
  host: 'op',
  needs: ['host.access', 'canary', 'registry.entry'],
  dependsOn: [],
  outage: false,
  required: true,
  evaluate: (view) => {
    const { backend, gateways } = view.topology;
    if (backend.host.transport !== 'ssh') return skipped('this machine');
    const isSeen = (subject: string) => view.value('host.access', 'op', subject)?.outcome === 'ok';
    const hidden = gateways.filter((gateway) => !isSeen(`gw:${gateway.id}`));
    const open = hidden.filter(
      ({ id }) =>
        view.value('canary', 'op', id)?.outcome !== 'ok' && view.value('registry.entry', 'op', id)?.online !== true,
    );
    const isProven = gateways.some(({ id }) => view.value('canary', 'op', id)?.outcome === 'ok');
    const names = [...(isSeen('be') || isProven ? [] : [backend.host.name]), ...open.map(({ host }) => host.name)];
    if (names.length > 0) return { state: 'unknown', detail: `not looked at: ${[...new Set(names)].join(', ')}` };
    const afar = [...(isSeen('be') ? [] : [backend.host]), ...hidden.map((gateway) => gateway.host)];
    if (afar.length === 0) return { state: 'pass', detail: '' };
    return { state: 'info', detail: `not looked at, but it works: ${afar.map((host) => host.name).join(', ')}` };
  },
});

/** Less than 1 MiB left for a service's state: nothing can be written any more. */
export function isFull(mount: Mount): boolean {
  return mount.availableBytes < 1024 * 1024 || mount.inodesUsedPercent === 100;
}

const pseudo = /^\/(proc|sys|dev|run)(\/|$)|^\/(snap|boot)/;

function disk(view: View, seat: 'be' | 'gw'): Verdict {
  const reading = view.read('host.mounts', seat);
  if (reading.status !== 'known') return { state: 'unknown', detail: 'df was not read' };
  const full = reading.value.find((mount) => !pseudo.test(mount.path) && !mount.readOnly && isFull(mount));
  return full
    ? { state: 'warn', detail: `${full.path} is full (${full.usedPercent} %)` }
    : { state: 'pass', detail: '' };
}

const diskBackend = defineCheck({
  id: 'host.backend.space',
  title: 'the backend host has room on its disks',
  hop: 'host',
  per: 'site',
  host: 'be',
  needs: ['host.mounts'],
  dependsOn: [],
  outage: false,
  evaluate: (view) => disk(view, 'be'),
});

const diskGateway = defineCheck({
  id: 'host.gateway.space',
  title: 'the gateway host has room on its disks',
  hop: 'host',
  per: 'gateway',
  host: 'gw',
  needs: ['host.mounts'],
  dependsOn: [],
  outage: false,
  evaluate: (view) => disk(view, 'gw'),
});

const clockGateway = defineCheck({
  id: 'host.gateway.clock',
  title: "the gateway's clock agrees with ours within a minute",
  hop: 'host',
  per: 'gateway',
  host: 'gw',
  needs: ['host.clock'],
  dependsOn: [],
  outage: false,
  evaluate: (view) => {
    const reading = view.read('host.clock', 'gw');
    if (reading.status !== 'known') return { state: 'unknown', detail: 'the clock was not read' };
    const off = Math.abs(reading.value.offsetMs) - reading.value.errorMs;
    const within = off < 60_000 ? 'yes' : 'no';
    return asWarning(verdictOf(view, within, { fail: () => `${Math.round(reading.value.offsetMs / 1000)} s off` }));
  },
});

export const hostChecks: readonly Check[] = [
  allSeen,
  accessBackend,
  accessGateway,
  diskBackend,
  diskGateway,
  clockGateway,
];
