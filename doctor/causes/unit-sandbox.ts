// Causes in what a unit's files take from its processes: killed by its sandbox or limit, frozen, kept off the network.
import { type CauseRow, type CauseRule, signs, type UnitState, type View } from '../engine/index.ts';
import { on, remedy } from './texts.ts';
import { commentOut, editAndStart, forEveryUnit, type UnitHome } from './unit-homes.ts';
import { lastWords } from './unit-run.ts';

const { gateway, parts, setup } = signs;
type Place = UnitHome['place'];

/** Signals of the kernel that a setting of the unit brings about, by the names of the settings. */
const killers: readonly {
  readonly signals: readonly number[];
  readonly settings: readonly string[];
  readonly test?: (value: string) => boolean;
  readonly word: string;
}[] = [
  {
    signals: [31],
    settings: ['SystemCallFilter', 'SystemCallArchitectures', 'RestrictNamespaces'],
    word: 'SIGSYS: a system call that its filter forbids',
  },
  { signals: [24], settings: ['LimitCPU'], word: 'SIGXCPU: its limit of processor time is used up' },
  { signals: [25], settings: ['LimitFSIZE'], word: 'SIGXFSZ: a file grew beyond its limit' },
  {
    signals: [4, 5, 6, 11],
    settings: ['MemoryDenyWriteExecute'],
    test: (value) => /^(yes|true|on|1)$/.test(value),
    word: 'memory that may not be executed, which a JavaScript runtime needs',
  },
  {
    signals: [4, 5, 6, 11],
    settings: ['LimitAS', 'LimitDATA', 'LimitSTACK'],
    test: (value) => !/infinity/.test(value),
    word: 'memory that its limit does not allow',
  },
];

function killer(view: View, place: Place) {
  const unit = view.value('unit.state', place.seat, place.part);
  if (!unit || !isKilled(unit)) return null;
  for (const { signals, settings, test, word } of killers) {
    const setting = signals.includes(unit.mainStatus)
      ? setup.settingWhere(view, place, { names: settings, test: test ?? (() => true) })
      : null;
    if (setting) return { setting, word };
  }
  return null;
}

function isKilled(unit: UnitState): boolean {
  return unit.mainCode === 'killed' || unit.mainCode === 'dumped';
}

function killedRow(home: UnitHome): CauseRow {
  const { place } = home;
  return {
    name: 'killed by its own sandbox or limit',
    title: (view) => {
      const found = killer(view, place);
      return `${parts.nameOf(view, place)} is killed at each start: ${found ? `${found.word} (${setup.worded(found.setting)})` : 'by a setting of its unit'}`;
    },
    necessary: [
      parts.crashing(place),
      setup.setupIs(
        place,
        (view) => {
          const unit = view.value('unit.state', place.seat, place.part);
          return `it was killed with signal ${unit?.mainStatus ?? '?'}, and ${setup.worded(killer(view, place)?.setting ?? { name: '', value: '', file: '', line: 0, section: '' })}`;
        },
        (_seen, view) => killer(view, place) !== null,
      ),
    ],
    supports: [lastWords(place)],
    forbids: home.serves,
    remedy: (view) => {
      const found = killer(view, place);
      return remedy('revert the setting', found ? editAndStart(view, home, [commentOut(found.setting)]) : []);
    },
    help: `A setting of the unit (a filter of system calls, memory that may not be executed, a limit) makes the kernel kill the program. It looks like a crash of the program without last words; the signal and the setting belong together.`,
  };
}

const isFrozen = (place: Place) =>
  setup.setupIs(
    place,
    (view) => `the control group of ${parts.nameOf(view, place)} is frozen`,
    (seen) => (seen.frozen === null ? 'unknown' : seen.frozen),
  );

function frozenRow(home: UnitHome): CauseRow {
  const { place, prefix } = home;
  return {
    name: 'frozen',
    title: (view) => `${parts.nameOf(view, place)} is frozen: its control group is stopped as a whole`,
    necessary: [
      isFrozen(place),
      parts.unitIs(place, 'is "active" to systemd', (unit) => unit.activeState === 'active'),
    ],
    predicts: {
      SYS:
        home.host === 'be'
          ? [...(home.predicts ?? []), 'backend.health.good']
          : ['agents.link.up', 'agents.registry.online', 'agents.canary.returns'],
      NGU: [
        'nginx.agents.upgrades',
        'nginx.api.answers',
        'network.public.connects',
        'network.tls.verifies',
        'network.agents.upgrades',
      ],
      LAU: ['agents.canary.returns'],
    }[prefix],
    remedy: (view) => {
      const unit = parts.nameOf(view, place);
      return remedy(
        'resume it',
        on(
          view,
          home.host,
          `systemctl thaw ${unit}`,
          `echo 0 > /sys/fs/cgroup$(systemctl show -p ControlGroup --value ${unit})/cgroup.freeze`,
        ),
      );
    },
    help: `"systemctl freeze", or a 1 in cgroup.freeze, stops every process of the unit without a signal: systemd says "active", the processes look asleep, sockets stay open, and nobody answers.`,
  };
}

const yes = (value: string) => /^(yes|true|on|1)$/.test(value);

/** The line that keeps the unit's processes off the network; null where none does for certain. */
function cutOff(view: View, place: Place) {
  const own = setup.settingOf(view, place, ['PrivateNetwork']);
  if (own && yes(own.value)) return own;
  const namespace = setup.settingOf(view, place, ['NetworkNamespacePath']);
  if (namespace) return namespace;
  const families = setup
    .settingsOf(view, place, 'RestrictAddressFamilies')
    .filter((item) => !item.value.startsWith('~'));
  const only = families.at(-1);
  if (only && !families.some((item) => /\bAF_INET6?\b/.test(item.value))) return only;
  const forbidden = setup.settingWhere(view, place, {
    names: ['RestrictAddressFamilies'],
    test: (value) => /^~.*\bAF_INET\b/.test(value),
  });
  if (forbidden) return forbidden;
  const denied = setup.settingWhere(view, place, {
    names: ['IPAddressDeny'],
    test: (value) => coversPeer(view, value),
  });
  const allowed = setup.settingWhere(view, place, {
    names: ['IPAddressAllow'],
    test: (value) => coversPeer(view, value),
  });
  if (denied && !allowed) return denied;
  const interfaces = setup.settingOf(view, place, ['RestrictNetworkInterfaces']);
  return interfaces && /^lo$/.test(interfaces.value) ? interfaces : null;
}

function bits(address: string): number | null {
  const bytes = address.split('.').map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !(byte >= 0 && byte <= 255))) return null;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** Whether a list of IPAddressDeny= or IPAddressAllow= has the address that the agents' public port is dialled at. */
function coversPeer(view: View, list: string): boolean {
  const peer = bits(view.value('tcp.connect', 'gw', 'public')?.address ?? view.topology.backend.host.address);
  return list.split(/\s+/).some((item) => {
    if (item === 'any' || item === '0.0.0.0/0') return true;
    const [network = '', length = '32'] = item.split('/');
    const base = bits(network);
    if (base === null || peer === null) return false;
    const size = 2 ** (32 - Number(length));
    return Math.floor(base / size) === Math.floor(peer / size);
  });
}

const sandboxed = (place: Place) =>
  setup.setupIs(
    place,
    (view) => {
      const line = cutOff(view, place);
      return line ? `its unit keeps it off the network: ${setup.worded(line)}` : 'its unit keeps it off the network';
    },
    (_seen, view) => cutOff(view, place) !== null,
  );

const gatewaySandbox: readonly CauseRule[] = forEveryUnit(
  (home) => ({
    '31': {
      name: 'kept off the network by its unit',
      title: (view) => {
        const line = cutOff(view, home.place);
        return `${parts.nameOf(view, home.place)} is kept off the network by its own unit: ${line ? setup.worded(line) : 'a sandbox setting'}`;
      },
      necessary: [
        sandboxed(home.place),
        gateway.linkDown,
        parts.unitIs(home.place, 'is not simply stopped', (unit) => unit.activeState !== 'inactive'),
      ],
      signature: [gateway.gatewayUpgrades],
      forbids: home.serves,
      lookalikes: {
        'NET-05': gateway.gatewayUpgrades,
        'NET-06': gateway.gatewayUpgrades,
        'SYS-21': sandboxed(home.place),
      },
      predicts: ['agents.link.up', 'agents.registry.online'],
      remedy: (view) => {
        const line = cutOff(view, home.place);
        return remedy('revert the setting', line ? editAndStart(view, home, [commentOut(line)]) : []);
      },
      help: `PrivateNetwork=, RestrictAddressFamilies=, IPAddressDeny= and the like apply to the processes of this unit only: the host itself reaches the backend, the agent does not, and no packet filter has a rule about it.`,
    },
  }),
  (home) => home.place === parts.gatewayPart,
);

export const unitSandboxCauses: readonly CauseRule[] = [
  ...forEveryUnit((home) => ({ '32': frozenRow(home), '35': killedRow(home) })),
  ...gatewaySandbox,
];
