// Why the doctor could not look at a host. Never the cause of an outage: these only take away sight.
import { type CauseRule, defineCause, type HostAccess, judge, sign, signs, type View } from '../engine/index.ts';
import { remedy } from './texts.ts';

const { parts } = signs;

function access(view: View, seat: 'be' | 'gw'): HostAccess | null {
  return view.value('host.access', 'op', seat);
}

function rule(of: {
  readonly code: string;
  readonly name: string;
  readonly seat: 'be' | 'gw';
  readonly outcomes: readonly HostAccess['outcome'][];
  readonly title: (host: string, seen: HostAccess | null) => string;
  readonly fix: (seen: HostAccess | null) => { readonly text: string; readonly commands: readonly string[] };
  readonly help: string;
}): CauseRule {
  const { seat } = of;
  return defineCause({
    code: of.code,
    name: of.name,
    layer: 'access',
    hop: 'access',
    per: seat === 'be' ? 'site' : 'gateway',
    host: seat,
    scope: 'sight',
    title: (view) => of.title(parts.hostOf(view, seat), access(view, seat)),
    necessary: [
      sign(
        (view) => access(view, seat)?.message || `${parts.hostOf(view, seat)}: ${access(view, seat)?.outcome ?? ''}`,
        (view) => judge(view, ['host.access', 'op', seat], (seen) => of.outcomes.includes(seen.outcome)),
      ),
    ],
    predicts: seat === 'be' ? ['host.backend.visible'] : ['host.gateway.visible'],
    remedy: (view) => {
      const { text, commands } = of.fix(access(view, seat));
      return remedy(text, commands);
    },
    help: of.help,
  });
}

const both = (make: (seat: 'be' | 'gw') => CauseRule): readonly CauseRule[] => [make('be'), make('gw')];
const target = (seen: HostAccess | null) => (seen ? `${seen.user}@${seen.address}` : 'user@host');

const denied = both((seat) =>
  rule({
    code: 'SSH-01',
    name: 'SSH key refused',
    seat,
    outcomes: ['auth-denied'],
    title: (host) => `${host} does not accept our SSH key`,
    fix: (seen) => ({
      text: 'add the key for that user',
      commands: [`ssh-copy-id -p ${seen?.port ?? 22} ${target(seen)}`],
    }),
    help: 'Login was refused (publickey). Traffic does not depend on it; everything that can be seen from elsewhere is still looked at.',
  }),
);
const changed = both((seat) =>
  rule({
    code: 'SSH-02',
    name: 'host key changed',
    seat,
    outcomes: ['host-key-changed'],
    title: (host) => `the host key of ${host} has changed; it was not accepted`,
    fix: (seen) => ({
      text: `find out why before trusting it${seen ? `: expected ${seen.expectedKey ?? 'none'}, offered ${seen.offeredKey ?? 'none'}` : ', and compare both fingerprints'}`,
      commands: [`ssh-keygen -F ${seen?.address ?? 'HOST'}`, 'viworks deploy trust HOST'],
    }),
    help: 'Either the host was installed anew or somebody stands in between. A changed key is never accepted by itself; probes over the network go on.',
  }),
);
const off = both((seat) =>
  rule({
    code: 'SSH-09',
    name: 'host unreachable over SSH',
    seat,
    outcomes: ['timeout', 'unreachable', 'refused'],
    title: (host) => `${host} cannot be reached over SSH`,
    fix: (seen) => ({
      text: 'look at the machine itself, or at the way to it',
      commands: [`ping -c 3 ${seen?.address ?? 'HOST'}`],
    }),
    help: 'The machine may be off, or only its SSH port closed to us. What other vantages show decides; hops that only this host could show stay unknown.',
  }),
);

export const accessCauses: readonly CauseRule[] = [...denied, ...changed, ...off];
