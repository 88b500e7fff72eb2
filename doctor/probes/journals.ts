// The journals of the units: the lines of the present run, or of the loop that goes on.
import { quoteWord } from '../../agents/runtime/index.ts';
import { type Fact, type Part, unknown } from '../engine/index.ts';
import type { Ask } from './ask.ts';
import { defineProbe } from './define-probe.ts';
import { mayReadJournal } from './host-output.ts';
import { type HostRound, look, lookAtTail, readTail, say } from './probe.ts';
import { parseJournal, type SeenUnit } from './service-output.ts';
import { hasOwnLog, named, seenUnits } from './units.ts';

/** Lines of a log that are looked at, from its end. */
const LOG_LINES = 120;

export const logsProbe = defineProbe({
  id: 'log.tail',
  sections: (ask) =>
    withLogs(ask).map(({ part, unit }) => ({
      id: `log.tail.${part}`,
      title: `log of ${unit}`,
      capBytes: 48 * 1024,
      isTail: true,
      body: `have journalctl || { echo '!tool journalctl'; return; }
$T journalctl -q --no-pager -o short-unix -n ${LOG_LINES} -u ${quoteWord(unit)} 2>&1`,
    })),
  facts: (round, ask) =>
    withLogs(ask).map(({ part, unit }) => logFact(round, { part, unit, seen: seenUnits(round, ask).get(part) })),
});

function withLogs(ask: Ask) {
  return named(ask).filter(({ part }) => hasOwnLog(part));
}

interface PartLog {
  readonly part: Part;
  readonly unit: string;
  readonly seen: SeenUnit | undefined;
}

function logFact(round: HostRound, of: PartLog): Fact {
  const section = `log.tail.${of.part}`;
  const looked = lookAtTail(round, section);
  const identity = look(round, 'host.identity');
  const readable = identity.ok && mayReadJournal(identity.text);
  // What journalctl says of its own difficulties is no line of the log.
  const none = looked.ok && !/^\d+\.\d+ /m.test(looked.text);
  const denied = none && !readable;
  const reading = denied
    ? unknown('no-permission', 'the journal needs root or the group systemd-journal')
    : readTail(looked, (text, cut) =>
        parseJournal(text, {
          sinceMs: of.seen?.windowMs ?? null,
          cut,
          max: LOG_LINES,
          looping: of.seen?.looping ?? false,
        }),
      );
  return say(round, {
    key: 'log.tail',
    subject: of.part,
    section,
    command: `journalctl -u ${of.unit} -n ${LOG_LINES}`,
    lines: reading.status === 'known' ? reading.value.lines.slice(-5).map((line) => line.text) : [],
    reading,
  });
}
