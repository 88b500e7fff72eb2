// Checks on the machines: can they be seen, is there room on the disks, do the clocks agree.
import { type Check, checksOf, type HostAccess, type Mount, type Verdict, type View } from '../engine/index.ts';
import { asWarning, skipped, verdictOf } from './outcome.ts';

function access(view: View, subject: 'be' | 'gw', transport: 'ssh' | 'local' | undefined): Verdict {
  if (transport !== 'ssh') return skipped('this machine');
  const reading = view.read('host.access', 'op', subject);
  if (reading.status !== 'known') return { state: 'unknown', detail: 'not examined' };
  const { outcome, message } = reading.value satisfies HostAccess;
  if (outcome === 'ok') return { state: 'pass', detail: '' };
  return { state: 'warn', detail: message || outcome };
}

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

export const hostChecks: readonly Check[] = checksOf({
  /** "Healthy" is a word about what was seen: a host that was not, or not wholly, leaves it open, whatever came back from it. */
  'host.all.visible': {
    title: 'every host was examined',
    hop: 'access',
    host: 'op',
    needs: ['host.access'],
    outage: false,
    required: true,
    evaluate: (view) => {
      const { backend, gateways } = view.topology;
      const hosts = [
        { subject: 'be', host: backend.host },
        ...gateways.map(({ id, host }) => ({ subject: `gw:${id}`, host })),
      ].filter(({ host }) => host.transport === 'ssh');
      if (hosts.length === 0) return skipped('this machine');
      const names = (test: (outcome: HostAccess['outcome'] | undefined) => boolean) => [
        ...new Set(
          hosts.flatMap((it) => (test(view.value('host.access', 'op', it.subject)?.outcome) ? [it.host.name] : [])),
        ),
      ];
      const hidden = names((outcome) => outcome !== 'ok' && outcome !== 'cut');
      const cut = names((outcome) => outcome === 'cut');
      if (hidden.length + cut.length === 0) return { state: 'pass', detail: '' };
      const gaps = [
        ...(hidden.length > 0 ? [`not examined: ${hidden.join(', ')}`] : []),
        ...(cut.length > 0 ? [`examined only in part: ${cut.join(', ')}`] : []),
      ];
      return { state: 'unknown', detail: gaps.join('; ') };
    },
  },
  'host.backend.visible': {
    title: 'the backend host can be examined over SSH',
    hop: 'access',
    host: 'be',
    needs: ['host.access'],
    outage: false,
    evaluate: (view) => access(view, 'be', view.topology.backend.host.transport),
  },
  'host.gateway.visible': {
    title: 'the gateway host can be examined over SSH',
    hop: 'access',
    host: 'gw',
    needs: ['host.access'],
    outage: false,
    evaluate: (view) => access(view, 'gw', view.gateway?.host.transport),
  },
  'host.backend.space': {
    title: 'the backend host has room on its disks',
    hop: 'host',
    host: 'be',
    needs: ['host.mounts'],
    outage: false,
    evaluate: (view) => disk(view, 'be'),
  },
  'host.gateway.space': {
    title: 'the gateway host has room on its disks',
    hop: 'host',
    host: 'gw',
    needs: ['host.mounts'],
    outage: false,
    evaluate: (view) => disk(view, 'gw'),
  },
  'host.gateway.clock': {
    title: "the gateway's clock agrees with ours within a minute",
    hop: 'host',
    host: 'gw',
    needs: ['host.clock'],
    outage: false,
    evaluate: (view) => {
      const reading = view.read('host.clock', 'gw');
      if (reading.status !== 'known') return { state: 'unknown', detail: 'the clock was not read' };
      const off = Math.abs(reading.value.offsetMs) - reading.value.errorMs;
      const within = off < 60_000 ? 'yes' : 'no';
      return asWarning(verdictOf(view, within, { fail: () => `${Math.round(reading.value.offsetMs / 1000)} s off` }));
    },
  },
});
