// Signs read from log tails. A line counts as proof only inside the window since the part's last start; outside of it, it decides nothing.
import type { LogLine } from '../observations.ts';
import { judge, type Sign, sign } from '../sign.ts';
import type { Tri } from '../tri.ts';
import type { View } from '../view.ts';
import type { PartPlace } from './parts.ts';

/** Newest line of the window that matches; null when there is none or the log could not be read. */
export function lineOf(view: View, place: PartPlace, pattern: RegExp): LogLine | null {
  const tail = view.value('log.tail', place.seat, place.part);
  return tail?.lines.findLast((line) => pattern.test(line.text)) ?? null;
}

function logSays(place: PartPlace, pattern: RegExp, claim: string): Sign {
  return sign(
    (view) => {
      const line = lineOf(view, place, pattern);
      return line ? `${claim}: ${excerpt(line.text)}` : claim;
    },
    (view) =>
      judge(view, ['log.tail', place.seat, place.part], (tail): Tri => {
        const found = tail.lines.some((line) => pattern.test(line.text));
        if (found) return tail.sinceMs === null ? 'unknown' : 'yes';
        return tail.truncated ? 'unknown' : 'no';
      }),
  );
}

/** One log line for a person: the message of a JSON line, cut to a readable length. */
export function excerpt(text: string): string {
  const message = messageOf(text).trim();
  return message.length > 240 ? `${message.slice(0, 237)}…` : message;
}

function messageOf(text: string): string {
  if (!text.startsWith('{')) return text;
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line !== 'object' || line === null) return text;
    const fields = line as Record<string, unknown>;
    const shown = ['msg', 'message', 'code', 'err', 'error', 'problems', 'reason', 'hint'].flatMap((name) => {
      const value = fields[name];
      if (typeof value === 'string') return [value];
      if (typeof value === 'object' && value !== null && 'message' in value) return [String(value.message)];
      return [];
    });
    return shown.length > 0 ? shown.join(' · ') : text;
  } catch {
    return text;
  }
}

/**
 * A configuration that cannot work, as our agents (VW_…CONFIG…, `file:line:col  key: …`), serde (`missing field`), and usual loggers word it.
 * Kept narrow: a line that merely names a configuration file must not match.
 */
const configErrorPattern =
  /VW_[A-Z_]*CONFIG\b|\.(toml|ya?ml|json|conf):\d+:\d+\s+\S*:? ?(missing|unknown key|expected|invalid)|missing (required )?(configuration |config )?(field|key|setting|value|parameter)|(config|configuration|setting)[\w .:"'`-]{0,40}(error|invalid|missing|is required|not set|cannot be empty|validation failed)|(invalid|missing|failed to (load|read|parse))[\w .:"'`-]{0,30}(config|configuration)\b|TOML parse error/i;

/** What an agent says when it will not try again. */
const gaveUpPattern = /giving up|gave up|max(imum)?[ _]?reconnect|no more (re)?connect|reconnect attempts exhausted/i;

/** What rules and checks take from here. */
export const logSigns = {
  lineOf,
  logSays,
  excerpt,
  configErrorPattern,
  gaveUpPattern,
};
