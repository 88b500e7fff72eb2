// Causes where the path is fine and commands are not: the launcher, the policy, the token, time.
import {
  allOf,
  anyOf,
  type CauseRow,
  type CauseRule,
  causesOf,
  judge,
  negate,
  not,
  type Sign,
  sign,
  signs,
  some,
  type Tri,
  type View,
} from '../engine/index.ts';
import { someLost } from './loss.ts';
import { gatewayUnit, ifVisible, isManaged, on, remedy } from './texts.ts';

const { backend, gateway, logs, parts } = signs;

function canarySays(claim: string, ...codes: readonly string[]): Sign {
  const end = (view: View) => {
    const seen = view.gateway ? view.value('canary', 'op', view.gateway.id) : null;
    return seen ? ` (${seen.code ?? seen.outcome}${seen.message ? `: ${seen.message}` : ''})` : '';
  };
  return sign([(view) => claim + end(view), (view) => `the canary command ended otherwise${end(view)}`], (view) => {
    if (!view.gateway) return 'no';
    return judge(view, ['canary', 'op', view.gateway.id], (seen): Tri => {
      if (codes.includes(seen.code ?? '') || codes.includes(seen.outcome)) return 'yes';
      // A canary that never arrived says nothing about what would have become of it.
      return seen.outcome === 'offline' ? 'unknown' : 'no';
    });
  });
}

const launcherSuspended = parts.processIn(parts.launcherPart, 'T', 'is suspended (state T)');
const launcherState = (view: View) =>
  launcherSuspended.holds(view) === 'yes'
    ? launcherSuspended.claim(view)
    : `${parts.nameOf(view, parts.launcherPart)} is ${parts.stateWords(view, parts.launcherPart)}`;
const launcherDown = sign(
  [launcherState, (view) => (parts.expectsLauncher(view) ? launcherState(view) : 'this agent needs no launcher')],
  (view) => {
    if (!parts.expectsLauncher(view)) return 'no';
    const active = (part: 'launcher' | 'launcher-socket') =>
      judge(view, ['unit.state', 'gw', part], (unit) => unit.activeState === 'active');
    // A process that is not seen says nothing here; the unit does.
    if (launcherSuspended.holds(view) === 'yes') return 'yes';
    return negate(some([active('launcher'), active('launcher-socket')]));
  },
);
const gatewayInstalled = parts.unitIs(parts.gatewayPart, 'is installed', (unit) => unit.loadState !== 'not-found');
const refusedToStart = canarySays(
  'the canary command did not start',
  'start_failed',
  'launcher_unavailable',
  'timeout',
);
const launcherUnit = (view: View) => view.gateway?.launcherUnit ?? 'viworks-launcher.service';

const launcherCodes = [
  '05',
  '06',
  '08',
  '09',
  '11',
  '14',
  '15',
  '16',
  '19',
  '25',
  '27',
  '28',
  '29',
  '30',
  '33',
  '34',
  '35',
  '36',
].map((number) => `LAU-${number}`);

/** The canary came as far as the gateway, which refuses it with a code. */
const refusal = (
  of: Omit<CauseRow, 'necessary' | 'remedy'> & {
    readonly codes: readonly string[];
    readonly claim: string;
    readonly fix: string;
    readonly commands: (view: View) => readonly string[];
  },
): CauseRow => {
  const { codes, claim, fix, commands, ...row } = of;
  const said = canarySays(claim, ...codes);
  return {
    ...row,
    necessary: [said],
    forbids: [launcherDown, gateway.linkDown, ...(of.forbids ?? [])],
    lookalikes: { 'CMD-01': said },
    remedy: (view) => remedy(fix, commands(view)),
  };
};

/** The same code refuses what is too much to hold, and then no disk is at fault. */
const tooManyHeld = sign('the gateway is at its task limit', (view) => {
  if (!view.gateway) return 'no';
  return judge(view, ['canary', 'op', view.gateway.id], (seen) =>
    seen.obstacle ? seen.obstacle.stage === 'held' : logs.saysTooManyHeld(seen.message),
  );
});
const storageComplains = sign(
  (view) => `its own health page says: ${(view.value('gateway.health', 'gw')?.storage ?? []).join('; ')}`,
  (view) =>
    judge(view, ['gateway.health', 'gw'], (seen): Tri => {
      if (seen.storage === undefined) return 'unknown';
      return seen.storage.length > 0 ? 'yes' : 'no';
    }),
);
const storageDirs = '/var/lib/viworks/gateway /var/lib/viworks/launcher';

export const commandCauses: readonly CauseRule[] = causesOf(
  { layer: 'commands', hop: 'canary', host: 'gw', predicts: ['agents.canary.returns'] },
  {
    'CMD-01': {
      name: 'launcher down',
      title: (view) =>
        `the launcher on ${parts.hostOf(view, 'gw')} is ${launcherSuspended.holds(view) === 'yes' ? 'suspended' : 'not running'}, so no command can start`,
      necessary: [launcherDown, gatewayInstalled],
      signature: [refusedToStart],
      supports: [gateway.registryOnline],
      // What keeps the launcher's unit down, or makes it end, has rows of its own.
      followsFrom: launcherCodes,
      lookalikes: {
        'CMD-02': anyOf('the refusal is start_failed, not denied', refusedToStart, launcherDown),
        reg: [
          'the gateway is not connected',
          ifVisible(anyOf('the gateway holds its link', gateway.linkUp, gateway.registryOnline)),
        ],
      },
      predicts: ['gateway.launcher.running', 'agents.canary.returns'],
      remedy: (view) =>
        launcherSuspended.holds(view) === 'yes'
          ? remedy('resume it', on(view, 'gw', `systemctl kill --signal=CONT ${launcherUnit(view)}`))
          : remedy('start it', on(view, 'gw', `systemctl enable --now ${launcherUnit(view)}`)),
      help: `The gateway is connected and healthy in the registry; tasks are started by a separate unit, and that one is down. Every command is refused at once with start_failed. "Connected" is not a success; a command that comes back is.`,
    },
    'CMD-02': refusal({
      name: 'denied by policy',
      codes: ['denied', 'policy_denied'],
      title: "the gateway's own policy forbids the command",
      claim: 'the canary command was denied by policy',
      fix: 'allow the verb in the policy of the gateway',
      commands: (view) =>
        on(
          view,
          'gw',
          'grep -n -A3 policy /opt/viworks/current/etc/gateway.toml',
          `systemctl restart ${gatewayUnit(view)}`,
        ),
      help: 'The host itself decides what may run on it; the token and the backend cannot overrule its policy.',
    }),
    'CMD-03': refusal({
      name: 'journal or spool cannot be written',
      codes: ['storage_unavailable'],
      title: 'the gateway cannot write its journal or spool',
      claim: 'the canary command was refused because it could not be recorded',
      supports: [storageComplains],
      forbids: [tooManyHeld],
      fix: 'free or remount the file system that the refusal names',
      commands: (view) => on(view, 'gw', `df -h ${storageDirs}`, `df -i ${storageDirs}`),
      help: `A task is started only after its start has been written durably to the journal, so that it never runs twice; its output goes to the spool of the launcher. Where one of the two cannot be written (no space, no inodes, read-only), nothing is started. The refusal names which one, where, and the system error.`,
    }),
    'NET-18': {
      name: 'large packets dropped',
      layer: 'network',
      title: (view) => {
        const host = parts.hostOf(view, 'gw');
        const lostOn = view.gateway && view.value('canary', 'op', view.gateway.id)?.onlySmall?.lostOn;
        if (!lostOn) return `small messages pass between ${host} and the backend, and large ones do not`;
        const [from, to] = lostOn === 'to-gateway' ? ['the backend', host] : [host, 'the backend'];
        return `small messages pass from ${from} to ${to}, and large ones do not`;
      },
      necessary: [
        sign(
          [
            (view) => {
              const sizes = view.gateway && view.value('canary', 'op', view.gateway.id)?.onlySmall;
              const lost = sizes?.lostOn === 'to-gateway' ? 'that is given' : 'that prints';
              return `a canary of ${sizes?.bytes ?? 'few'} bytes comes back, and one ${lost} ${sizes?.lostBytes ?? 'many'} bytes does not`;
            },
            'small and large canaries end alike',
          ],
          (view) =>
            view.gateway
              ? judge(view, ['canary', 'op', view.gateway.id], (seen) => seen.onlySmall !== undefined)
              : 'no',
        ),
      ],
      // On a way that loses packets of any size a long transfer ends last.
      forbids: [launcherDown, someLost],
      remedy: (view) =>
        remedy(
          'find the hop that drops full-size packets: a smaller MTU on the path with ICMP filtered, or a filter by length',
          on(
            view,
            'gw',
            `ping -M do -s 1472 -c 3 ${view.topology.serverName}`,
            `tracepath -n ${view.topology.serverName}`,
            'iptables-save | grep -E "length|TCPMSS"',
          ),
        ),
      help: `Handshakes, heartbeats and short commands fit into small packets and pass; real output does not. The gateway looks connected, and commands with more than a packet of output hang. The usual reasons are a tunnel with a smaller MTU whose "fragmentation needed" messages are filtered, and a packet filter by length. A lower MTU or MSS clamping (TCPMSS --clamp-mss-to-pmtu) is the workaround.`,
    },
    'CMD-04': {
      name: "token's role too small",
      host: 'be',
      title: "the token's role does not allow commands",
      necessary: [canarySays('the API refused the canary command for this token', 'forbidden')],
      remedy: (view) =>
        remedy(
          'use a token of role operator',
          isManaged(view, parts.backendPart)
            ? on(view, 'be', 'viworks backend token create --role operator --name doctor')
            : [],
        ),
      help: 'The API knows the token, but its role is read-only. Nothing is wrong with the gateways.',
    },
    'CMD-06': refusal({
      name: 'commands expire',
      codes: ['expired'],
      title: 'commands expire before the gateway takes them',
      claim: 'the canary command had expired on arrival',
      fix: 'set the clock of the gateway',
      commands: (view) => on(view, 'gw', 'timedatectl'),
      help: 'Commands carry an expiry time; with a clock that is minutes ahead, each of them arrives too late.',
    }),
    'WS-01': {
      about: 'backend',
      name: 'HELLO never answered',
      layer: 'backend',
      hop: 'hello',
      host: 'be',
      title: 'the backend accepts connections and never answers HELLO',
      necessary: [
        backend.directUpgrades,
        allOf(
          [
            'after the 101 nothing comes: no challenge, no answer to HELLO',
            'after the 101 the backend speaks, or it is not ours',
          ],
          (view) => (view.topology.kind === 'viworks' ? 'yes' : 'no'),
          (view) =>
            judge(view, ['ws.upgrade', 'be', 'direct'], (seen) => seen.hello === 'silent' || seen.challenged === false),
        ),
      ],
      signature: [
        not(
          'HELLO is not even refused',
          sign('', (view) => judge(view, ['ws.upgrade', 'be', 'direct'], (seen) => seen.hello === 'refused')),
        ),
      ],
      predicts: ['agents.hello.answered', 'agents.link.up'],
      remedy: (view) =>
        remedy(
          'install a backend build that handles HELLO',
          on(view, 'be', `systemctl restart ${view.topology.backend.unit ?? ''}`),
        ),
      help: 'The handshake is HTTP; the session is HELLO. A server that upgrades and then says nothing has its message loop missing.',
    },
  },
);
