// Signs read from log tails. A line counts as proof only inside the window since the part's last start; outside of it, it decides nothing.
import { judge, type LogLine, type Part, type Sign, sign, type Tri, type View } from '../vocabulary/index.ts';
import {
  configErrorPattern,
  gaveUpPattern,
  listeningPattern,
  OLDER_RELEASES,
  saysTooManyHeld,
} from './foreign-words.ts';
import type { PartPlace } from './parts.ts';

/** A log line of a program of ours: which of its sentences it is, by its code, and the fields beside it. */
export interface SpokenLine {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What to look for: an event of our programs, and how others word the same; or words alone, of systemd, nginx, the kernel or the system. */
export type Wording = RegExp | { readonly event: string; readonly elsewhere: RegExp };

/** A line of ours is read by its code alone, so that no sentence of it can be taken for another program's. */
function matches(line: LogLine, wording: Wording): boolean {
  if (wording instanceof RegExp) return wording.test(line.text);
  const spoken = spokenBy(line);
  return spoken ? spoken.event === wording.event : wording.elsewhere.test(line.text);
}

/** Newest line of the window that matches; null when there is none or the log could not be read. */
export function lineOf(view: View, place: PartPlace, wording: Wording): LogLine | null {
  const tail = view.value('log.tail', place.seat, place.part);
  return tail?.lines.findLast((line) => matches(line, wording)) ?? null;
}

const logNames: Readonly<Record<Part, string>> = {
  backend: "the backend's log",
  nginx: "nginx's log",
  'nginx-error': "nginx's error log",
  gateway: "the agent's log",
  launcher: "the launcher's log",
  'launcher-socket': 'the journal',
  'backend-api-socket': 'the journal',
  'backend-agents-socket': 'the journal',
  docker: "Docker's log",
};

function logSays(place: PartPlace, wording: Wording, claim: string): Sign {
  return sign(
    [
      (view) => {
        const line = lineOf(view, place, wording);
        return line ? `${claim}: ${excerpt(line.text)}` : claim;
      },
      `nothing in ${logNames[place.part]} points to it`,
    ],
    (view) =>
      judge(view, ['log.tail', place.seat, place.part], (tail): Tri => {
        const found = tail.lines.some((line) => matches(line, wording));
        if (found) return tail.sinceMs === null ? 'unknown' : 'yes';
        return tail.truncated ? 'unknown' : 'no';
      }),
  );
}

/** An agent that is kept out tries again at least every minute: what it met is repeated in the log, or over, in ms. */
const RECENT_MS = 10 * 60_000;

/** A line that speaks of what still goes on, by the clock of its host. */
function isRecent(view: View, seat: 'be' | 'gw', { atMs }: LogLine): boolean {
  const now = view.value('host.clock', seat)?.epochMs;
  return now !== undefined && atMs !== null && now - atMs <= RECENT_MS;
}

const nginxErrors = { seat: 'be', part: 'nginx-error' } as const;

/**
 * nginx's word on the very dials of this run. Once its log was looked at again after them, a line from before them leaves it open: what it
 * spoke of may be over.
 */
function dialSays(wording: RegExp): Sign {
  const plain = logSays(nginxErrors, wording, "nginx's error log says");
  return sign([plain.claim, plain.denial], (view) => {
    const said = plain.holds(view);
    const tail = view.value('log.tail', nginxErrors.seat, nginxErrors.part);
    if (said !== 'yes' || !tail?.again) return said;
    return tail.lines.some((line) => line.late && matches(line, wording)) ? 'yes' : 'unknown';
  });
}

/** One log line for a person: the message of a JSON line, cut to a readable length. */
export function excerpt(text: string): string {
  // nginx quotes what it was sent, and that may be the beginning of a TLS handshake.
  const message = messageOf(text)
    .trim()
    .replace(/(broken header: )".*?"(?= while)/s, '$1"…"')
    .replace(/[^\P{C}\t]+|\uFFFD+/gu, '…');
  return message.length > 240 ? `${message.slice(0, 237)}…` : message;
}

/** The fields of a JSON line; null for any other line. */
function fieldsOf(text: string): Readonly<Record<string, unknown>> | null {
  if (!text.startsWith('{')) return null;
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === 'object' && line !== null ? (line as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}

/** The code of what a program of ours says with this line, and the fields beside it; null for any other line. */
export function spokenBy(line: LogLine): SpokenLine | null {
  const fields = fieldsOf(line.text);
  if (fields === null) return null;
  const event = typeof fields.event === 'string' ? fields.event : OLDER_RELEASES[String(fields.msg)];
  return event === undefined ? null : { event, fields };
}

function messageOf(text: string): string {
  const fields = fieldsOf(text);
  if (fields === null) return text;
  const shown = ['msg', 'message', 'code', 'err', 'error', 'problems', 'reason', 'hint'].flatMap((name) => {
    const value = fields[name];
    if (typeof value === 'string') return [value];
    if (typeof value === 'object' && value !== null && 'message' in value) return [String(value.message)];
    return [];
  });
  return shown.length > 0 ? shown.join(' · ') : text;
}

/** What rules and checks take from here. */
export const logSigns = {
  spokenBy,
  lineOf,
  logSays,
  dialSays,
  isRecent,
  excerpt,
  configErrorPattern,
  gaveUpPattern,
  listeningPattern,
  saysTooManyHeld,
};
