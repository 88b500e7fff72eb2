// Signs of sessions that are lost again and again: a rate over the newest minutes of both agents' logs, never one instant.
import { judge, type LogLine, type Sign, sign, some, type Tri, type View } from '../vocabulary/index.ts';
import { spokenBy } from './logs.ts';

/** What is looked at: long enough for a slow flap, short enough for one that is over to be forgotten, in ms. */
const WINDOW_MS = 120_000;
/** One loss is life, two may be a restart of each side. */
const FLAPPING = 3;
/** What a start itself may cost: the loss is written a moment after it, by a clock that is known to some ms. */
const SLACK_MS = 3_000;

export interface LostSession {
  readonly atMs: number;
  /** The close code: 4002 = a newer session took over. */
  readonly code: number | null;
  readonly reason: string;
  /** The address that it came from; null where the gateway's own log says it. */
  readonly remote: string | null;
}

function lostIn(
  view: View,
  lines: readonly LogLine[],
  of: { readonly seat: 'be' | 'gw'; readonly event: string },
): readonly LostSession[] {
  const now = view.value('host.clock', of.seat)?.epochMs;
  if (now === undefined) return [];
  return lines.flatMap((line): LostSession[] => {
    const spoken = spokenBy(line);
    if (spoken?.event !== of.event || line.atMs === null || now - line.atMs > WINDOW_MS) return [];
    const { code, closeCode, reason, gateway, remote } = spoken.fields;
    if (of.seat === 'be' && gateway !== view.gateway?.id) return [];
    const number = typeof closeCode === 'number' ? closeCode : code;
    return [
      {
        atMs: line.atMs,
        code: typeof number === 'number' ? number : null,
        reason: typeof reason === 'string' ? reason : '',
        remote: typeof remote === 'string' ? remote : null,
      },
    ];
  });
}

/** When the last of the parts that a session runs through was started, by our clock: a restart ends sessions, and is no flapping. */
function lastStart(view: View): number {
  const starts = (
    [
      ['gw', 'gateway'],
      ['be', 'backend'],
      ['be', 'nginx'],
    ] as const
  ).map(([seat, part]) => {
    // Without a supervisor the process itself says since when it runs.
    const process = view.value('process.state', seat, part);
    const own = process?.running ? process.startedAtMs : null;
    const started = view.value('unit.state', seat, part)?.mainStartedAtMs ?? own;
    return started === null ? 0 : started - (view.value('host.clock', seat)?.offsetMs ?? 0);
  });
  return Math.max(...starts);
}

/** Still going on: the next loss is not overdue by more than one of the usual pauses between them. */
function goesOn(view: View, seat: 'be' | 'gw', all: readonly LostSession[]): boolean {
  const now = view.value('host.clock', seat)?.epochMs;
  if (now === undefined || all.length < FLAPPING) return false;
  const times = all.map(({ atMs }) => atMs);
  const [first, last] = [Math.min(...times), Math.max(...times)];
  return now - last <= 2 * ((last - first) / (all.length - 1)) + SLACK_MS;
}

/** Losses of this gateway's sessions since everything runs, while they go on; by whichever log has more of them. */
function lost(view: View): readonly LostSession[] {
  const began = lastStart(view);
  const since = (seat: 'be' | 'gw', all: readonly LostSession[]): readonly LostSession[] => {
    const offset = view.value('host.clock', seat)?.offsetMs ?? 0;
    const own = all.filter(({ atMs }) => atMs - offset > began + SLACK_MS);
    return goesOn(view, seat, own) ? own : [];
  };
  const own = lostIn(view, view.value('log.tail', 'gw', 'gateway')?.lines ?? [], {
    seat: 'gw',
    event: 'GW_SESSION_LOST',
  });
  const there = lostIn(view, view.value('log.tail', 'be', 'backend')?.lines ?? [], {
    seat: 'be',
    event: 'BE_SESSION_LOST',
  });
  const [near, far] = [since('gw', own), since('be', there)];
  return far.length > near.length ? far : near;
}

const byCode =
  (test: (code: number | null) => boolean) =>
  (view: View): Tri =>
    some([
      judge(view, ['log.tail', 'gw', 'gateway'], () => lost(view).filter((item) => test(item.code)).length >= FLAPPING),
      judge(view, ['log.tail', 'be', 'backend'], () => lost(view).filter((item) => test(item.code)).length >= FLAPPING),
    ]);

function rateText(view: View): string {
  const all = lost(view);
  const codes = [...new Set(all.map((item) => [item.code, item.reason].filter(Boolean).join(' ')))].filter(Boolean);
  return `${all.length} sessions lost within ${WINDOW_MS / 1000} s${codes.length > 0 ? ` (${codes.slice(-3).join('; ')})` : ''}`;
}

const flapping: Sign = sign(
  [(view) => `its session flaps: ${rateText(view)}`, 'its session holds'],
  byCode(() => true),
);

const SUPERSEDED = 4002;
/** A newer session took over, again and again: two programs speak under one identity. */
const superseded: Sign = sign(
  [
    (view) => {
      const from = remotes(view);
      return `its sessions supersede each other: ${rateText(view)}${from.length > 0 ? `, from ${from.join(' and ')}` : ''}`;
    },
    'no session takes the place of another one',
  ],
  byCode((code) => code === SUPERSEDED),
);

/** The addresses that the lost sessions came from. */
function remotes(view: View): readonly string[] {
  const there = lostIn(view, view.value('log.tail', 'be', 'backend')?.lines ?? [], {
    seat: 'be',
    event: 'BE_SESSION_LOST',
  });
  return [...new Set(there.flatMap((item) => (item.remote === null ? [] : [item.remote])))];
}

/** A session of this age is no longer one of a flap that is worth the name, in ms. */
const OLD_MS = 30_000;
/** What the parts of a session need to find each other after one of them was started, in ms. */
const SETTLE_MS = 15_000;

/** Without a log: how old the present session is, as the registry says; `steady` also where a start explains that it is young. */
function age(view: View): { readonly steady: boolean; readonly text: string } | null {
  const entry = view.gateway && view.value('registry.entry', 'op', view.gateway.id);
  const clock = view.value('host.clock', 'be');
  if (!entry?.online || entry.connectedAtMs === undefined || !clock) return null;
  const ageMs = clock.epochMs - entry.connectedAtMs;
  // A start does not explain that a second session took the place of a first.
  const isExcused =
    entry.lastClose?.code !== SUPERSEDED && entry.connectedAtMs - clock.offsetMs - lastStart(view) < SETTLE_MS;
  const close = entry.lastClose ? `; the one before ended with ${entry.lastClose.code} ${entry.lastClose.name}` : '';
  const text = `its session is ${Math.max(0, Math.round(ageMs / 1000))} s old${close}`;
  return { steady: ageMs >= OLD_MS || isExcused, text };
}

/** What rules and checks take from here. */
export const sessionSigns = { age, flapping, superseded, rateText, remotes };
