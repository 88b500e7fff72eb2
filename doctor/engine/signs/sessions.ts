// Signs of sessions that are lost again and again: a rate over the newest minutes of both agents' logs, never one instant.
import type { LogLine } from '../observations.ts';
import { judge, type Sign, sign } from '../sign.ts';
import { some, type Tri } from '../tri.ts';
import type { View } from '../view.ts';
import { spokenBy } from './logs.ts';

/** What is looked at: long enough for a slow flap, short enough for one that is over to be forgotten, in ms. */
const WINDOW_MS = 120_000;
/** One loss is life, two may be a restart of each side. */
const FLAPPING = 3;

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

/** Losses of this gateway's sessions within the window, by whichever log has more of them. */
function lost(view: View): readonly LostSession[] {
  const own = lostIn(view, view.value('log.tail', 'gw', 'gateway')?.lines ?? [], {
    seat: 'gw',
    event: 'GW_SESSION_LOST',
  });
  const there = lostIn(view, view.value('log.tail', 'be', 'backend')?.lines ?? [], {
    seat: 'be',
    event: 'BE_SESSION_LOST',
  });
  return there.length > own.length ? there : own;
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

/** A newer session took over, again and again: two programs speak under one identity. */
const superseded: Sign = sign(
  [
    (view) => {
      const from = remotes(view);
      return `its sessions supersede each other: ${rateText(view)}${from.length > 0 ? `, from ${from.join(' and ')}` : ''}`;
    },
    'no session takes the place of another one',
  ],
  byCode((code) => code === 4002),
);

/** The addresses that the lost sessions came from. */
function remotes(view: View): readonly string[] {
  const there = lostIn(view, view.value('log.tail', 'be', 'backend')?.lines ?? [], {
    seat: 'be',
    event: 'BE_SESSION_LOST',
  });
  return [...new Set(there.flatMap((item) => (item.remote === null ? [] : [item.remote])))];
}

/** What rules and checks take from here. */
export const sessionSigns = { flapping, superseded, rateText, remotes };
