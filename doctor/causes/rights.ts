// Causes in rights: a file that the service's user may not read, and the launcher's socket that the agent may not open.
import { MESSAGES } from '../../agents/gateway/messages.ts';
import {
  type CauseRow,
  type CauseRule,
  causesOf,
  judge,
  negate,
  type Sign,
  sign,
  signs,
  type Tri,
  type View,
} from '../engine/index.ts';
import { ends, isForbidden, lastWords, notRun } from './own-words.ts';
import { backendCommand, gatewayUnit, isManaged, on, remedy } from './texts.ts';

const { backend, gateway, logs, parts, setup } = signs;
type Place = typeof parts.gatewayPart;

/** The path that an error speaks of: the one in quotes, else the first that is absolute. */
function pathIn(text: string): string | null {
  return /'(\/[^']+)'/.exec(text)?.[1] ?? /(?:^|\s)(\/[^\s,:;'"]+)/.exec(text)?.[1] ?? null;
}

const userOf = (view: View, place: Place) => view.value('unit.state', place.seat, place.part)?.user || 'root';
const quoted = (path: string) => (/^[\w./@+-]+$/.test(path) ? path : `'${path}'`);

const forbidden = (of: {
  readonly place: Place;
  readonly who: string;
  readonly predicts: readonly string[];
  readonly restart: (view: View) => string;
}): CauseRow => {
  const { place } = of;
  const path = (view: View) => pathIn(lastWords(view, place)?.reason ?? '');
  const saysSo = ends(place, isForbidden);
  return {
    name: 'file closed to the service user',
    layer: place.seat === 'be' ? 'backend' : 'gateway',
    hop: place.seat === 'be' ? 'ws-port' : 'gateway',
    host: place.seat,
    title: (view) =>
      `${of.who} ends at each start: its user ${userOf(view, place)} may not open ${path(view) ?? 'a file that it needs'}`,
    necessary: [parts.crashing(place), saysSo],
    supports: [
      setup.setupIs(
        place,
        (view) => {
          const user = setup.settingOf(view, place, ['User']);
          return user ? setup.worded(user) : '';
        },
        (_seen, view) => setup.settingOf(view, place, ['User']) !== null,
      ),
    ],
    forbids: [notRun(place), place.seat === 'be' ? backend.directUpgrades : gateway.linkUp],
    lookalikes: { [place.seat === 'be' ? 'BE-06' : 'CFG-03']: saysSo },
    predicts: of.predicts,
    remedy: (view) => {
      const file = path(view);
      const user = userOf(view, place);
      // What a release brought is right in the release; deploying puts it back with its owner and mode.
      const fix = file?.startsWith('/opt/viworks/') && isManaged(view, place) ? `chmod a+r ${quoted(file)}` : null;
      return remedy(
        'look at every directory on the way to it, give it back to its user, and start the unit; if User= was changed, put that back instead',
        on(
          view,
          place.seat,
          ...(file === null ? [] : [`namei -l ${quoted(file)}`, fix ?? `chown ${user}: ${quoted(file)}`]),
          of.restart(view),
        ),
      );
    },
    help: `The program says with the system's own word (EACCES, EPERM) which file it may not open. Owner and mode of the file, or of a directory on the way to it, were changed (a copy or a restore as root, a chmod), or the unit runs as another user than before. A certificate, a configuration or the network is not at fault: it never came that far.`,
  };
};

interface Obstacle {
  readonly errno: string;
  readonly reason: string;
}

/** What keeps the agent from its launcher, by its newest word on it; null after it was reached again. */
function obstacle(view: View): Obstacle | null {
  const lines = view.value('log.tail', 'gw', 'gateway')?.lines ?? [];
  for (const line of [...lines].reverse()) {
    const spoken = logs.spokenBy(line);
    if (spoken?.event === MESSAGES.launcherUp.code || spoken?.event === MESSAGES.ready.code) return null;
    if (spoken?.event === MESSAGES.launcherAwaited.code || spoken?.event === MESSAGES.launcherDown.code)
      return { errno: String(spoken.fields.errno ?? ''), reason: String(spoken.fields.reason ?? '') };
  }
  return null;
}

const meanings: Readonly<Record<string, string>> = {
  EACCES: 'may not open its socket',
  EPERM: 'may not open its socket',
  ENOENT: 'does not find its socket',
  ECONNREFUSED: 'finds a socket that nobody serves',
  ENOTSOCK: 'finds no socket there',
};

const socketPath = (view: View) =>
  pathIn(obstacle(view)?.reason ?? '') ??
  view.value('agent.config', 'gw', 'gateway')?.values.launcher_socket ??
  '/run/viworks/launcher.sock';

const socketClosed: Sign = sign(
  [
    (view) => `its log says: ${logs.excerpt(obstacle(view)?.reason ?? '')}`,
    'its log does not say that the launcher cannot be reached',
  ],
  (view) =>
    judge(view, ['log.tail', 'gw', 'gateway'], (tail): Tri => {
      const seen = obstacle(view);
      if (!seen) return tail.truncated ? 'unknown' : 'no';
      if (tail.sinceMs === null) return 'unknown';
      return seen.errno in meanings ? 'yes' : 'no';
    }),
);

/** Its unit, not its socket: that one is what the agent cannot get at. */
const launcherUp: Sign = sign(
  [
    (view) => `${parts.nameOf(view, parts.launcherPart)} is running`,
    (view) => `${parts.nameOf(view, parts.launcherPart)} is ${parts.stateWords(view, parts.launcherPart)}`,
  ],
  (view) => {
    const active = judge(view, ['unit.state', 'gw', 'launcher'], (unit) => unit.activeState === 'active');
    const suspended = parts.processIn(parts.launcherPart, 'T', '').holds(view);
    return active === 'yes' && suspended === 'yes' ? negate(suspended) : active;
  },
);

export const rightsCauses: readonly CauseRule[] = causesOf(
  { layer: 'gateway', hop: 'gateway', host: 'gw' },
  {
    'SYS-17': [
      forbidden({
        place: parts.gatewayPart,
        who: 'the gateway agent',
        predicts: ['gateway.process.running', 'agents.link.up'],
        restart: (view) => `systemctl restart ${gatewayUnit(view)}`,
      }),
      forbidden({
        place: parts.backendPart,
        who: 'the backend',
        predicts: [
          'backend.process.running',
          'backend.api.answers',
          'backend.agents.listens',
          'backend.agents.upgrades',
        ],
        restart: (view) => backendCommand(view, 'restart'),
      }),
    ],
    'CMD-07': {
      name: "launcher's socket out of reach",
      layer: 'commands',
      hop: 'gateway',
      title: (view) =>
        `the agent ${meanings[obstacle(view)?.errno ?? ''] ?? 'cannot reach its socket'} to the launcher, ${socketPath(view)} (${obstacle(view)?.errno ?? ''})`,
      necessary: [launcherUp, socketClosed],
      lookalikes: { 'CMD-01': launcherUp, 'SYS-14': socketClosed, 'SYS-21': socketClosed },
      predicts: [
        'gateway.process.running',
        'gateway.launcher.running',
        'agents.link.up',
        'agents.registry.online',
        'agents.canary.returns',
      ],
      remedy: (view) =>
        remedy(
          'restart the launcher: it makes its socket again, with the right owner and mode (tasks that run are not touched)',
          on(
            view,
            'gw',
            `namei -l ${quoted(socketPath(view))}`,
            `systemctl restart ${view.gateway?.launcherUnit ?? 'viworks-launcher.service'}`,
            `systemctl restart ${gatewayUnit(view)}`,
          ),
        ),
      help: `The launcher runs, and the agent cannot get at the unix socket between them: its mode or owner was changed, the directory is closed, the file was removed, or the two configurations name different paths. An agent that starts waits for the launcher and is not ready until then; one that runs refuses every command with start_failed.`,
    },
  },
);
