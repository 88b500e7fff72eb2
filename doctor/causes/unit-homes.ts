// The parts that systemd runs, each with what its own causes have in common: the same fault of a unit is one row for all of them.
import {
  type CauseDefaults,
  type CauseRow,
  type CauseRule,
  causesOf,
  type Sign,
  signs,
  type View,
} from '../engine/index.ts';
import { on } from './texts.ts';

const { backend, gateway, nginx, parts } = signs;

/** A part, and how its causes are called: `SYS-27` for both agents, `NGU-27` for nginx's unit, `LAU-27` for the launcher's. */
export interface UnitHome extends CauseDefaults {
  readonly place: typeof parts.gatewayPart;
  readonly prefix: 'SYS' | 'NGU' | 'LAU';
  /** Shows that the part serves all the same. */
  readonly serves: readonly Sign[];
}

const homes: readonly UnitHome[] = [
  {
    place: parts.backendPart,
    prefix: 'SYS',
    layer: 'backend',
    hop: 'ws-port',
    host: 'be',
    predicts: ['backend.process.running', 'backend.api.answers', 'backend.agents.listens', 'backend.agents.upgrades'],
    serves: [backend.directUpgrades],
  },
  {
    place: parts.gatewayPart,
    prefix: 'SYS',
    layer: 'gateway',
    hop: 'gateway',
    host: 'gw',
    predicts: ['gateway.process.running', 'agents.link.up'],
    serves: [gateway.linkUp],
  },
  {
    place: parts.nginxPart,
    prefix: 'NGU',
    layer: 'nginx',
    hop: 'vhost',
    host: 'be',
    predicts: ['nginx.process.running', 'nginx.agents.upgrades', 'nginx.api.answers', 'network.public.connects'],
    serves: [nginx.publicUpgrades],
  },
  {
    place: parts.launcherPart,
    prefix: 'LAU',
    layer: 'commands',
    hop: 'canary',
    host: 'gw',
    predicts: ['gateway.launcher.running', 'agents.canary.returns'],
    serves: [],
  },
];

/** Rows by the number of their code, made once for every part that `fits`. */
export function forEveryUnit(
  rowsOf: (home: UnitHome) => Readonly<Record<string, CauseRow | readonly CauseRow[]>>,
  fits: (home: UnitHome) => boolean = () => true,
): readonly CauseRule[] {
  return homes.filter(fits).flatMap((home) => {
    const { layer, hop, host, predicts = [] } = home;
    const rows = Object.entries(rowsOf(home)).map(([number, row]) => [`${home.prefix}-${number}`, row] as const);
    return causesOf({ layer, hop, host, predicts }, Object.fromEntries(rows));
  });
}

/** Commands that take one line of a unit's file out, or change it, and start the unit again. */
export function editAndStart(view: View, { place, host }: UnitHome, edits: readonly string[]): readonly string[] {
  const unit = parts.nameOf(view, place);
  return on(view, host, ...edits, 'systemctl daemon-reload', `systemctl restart ${unit}`);
}

/** Turns one line of a file into a comment. */
export function commentOut(setting: { readonly file: string; readonly line: number }): string {
  return `sed -i '${setting.line}s/^/# /' ${setting.file}`;
}
