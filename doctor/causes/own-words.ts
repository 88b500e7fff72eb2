// Causes that an agent of ours names itself: it ends with a coded error, or the backend refuses its HELLO with a coded close. The log line
// of the program, read by its code, outranks guesses; the kernel and systemd have to agree that it does not run, or that the link is down.
import { MESSAGES } from '../../agents/gateway/messages.ts';
import { RUNTIME_MESSAGES } from '../../agents/runtime/messages.ts';
import {
  type CauseRow,
  type CauseRule,
  causesOf,
  judge,
  type LogLine,
  not,
  type Sign,
  sign,
  signs,
  type Tri,
  type View,
} from '../engine/index.ts';
import { notMerelyLatched } from './gateway-unit.ts';
import { foundInLog } from './log-finds.ts';
import { backendCommand, backendUnit, gatewayUnit, on, remedy } from './texts.ts';
import { neverRan } from './unit-words.ts';

const { gateway, logs, parts } = signs;
type Place = typeof parts.gatewayPart;

/** The last words of a program of ours: its code, why, and what its own catalogue says to do. */
export interface LastWords {
  readonly code: string;
  readonly reason: string;
  readonly hint: string;
  /** The system's name for it; empty where the line has none. */
  readonly errno: string;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Codes that have causes of their own: the configuration (CFG-02, CFG-03, BE-06) and the port (BE-07). */
const toldElsewhere = /^VW_(RUNTIME_CONFIG|BACKEND_BIND)\b/;

export function lastWords(view: View, place: Place): LastWords | null {
  const lines = view.value('log.tail', place.seat, place.part)?.lines ?? [];
  for (const [index, line] of [...lines.entries()].reverse()) {
    const spoken = logs.spokenBy(line);
    if (spoken?.event === RUNTIME_MESSAGES.programEnds.code && text(spoken.fields.code).startsWith('VW_'))
      return {
        code: text(spoken.fields.code),
        reason: text(spoken.fields.reason),
        hint: text(spoken.fields.hint),
        errno: text(spoken.fields.errno),
      };
    const code = /^exit \d+ \((VW_[A-Z_]+)\)/.exec(line.text)?.[1];
    if (code !== undefined) return printed(code, lines.slice(Math.max(0, index - 6), index));
  }
  return null;
}

/** As it is told on a terminal, before there is a log: the sentence, then its remedy, then the exit code with the error's. */
function printed(code: string, before: readonly LogLine[]): LastWords {
  const own = before.map((line) => line.text.trim());
  const remedyAt = own.findLastIndex((line) => line.startsWith('remedy: '));
  const reason = own[remedyAt < 0 ? own.length - 1 : remedyAt - 1] ?? code;
  return { code, reason, errno: '', hint: (own[remedyAt] ?? '').replace(/^remedy: /, '') };
}

/** Its words count inside the window of the log only, as any line does. */
export function ends(place: Place, test: (words: LastWords) => boolean): Sign {
  return foundInLog({
    log: [place.seat, place.part],
    find: (view) => lastWords(view, place),
    text: ({ reason, code }) => `its last words: ${reason} (${code})`,
    none: 'it gives no error code for its exit',
    test,
  });
}

const gatewayPlace = parts.gatewayPart;
const backendPlace = parts.backendPart;
const isIdentity = (words: LastWords) => words.code === 'VW_GATEWAY_IDENTITY_MISMATCH';
/** The system did not let it: rights.ts. */
export const isForbidden = (words: LastWords) =>
  /^(EACCES|EPERM)$/.test(words.errno) || /\b(EACCES|EPERM)\b/.test(words.reason);
const isPlain = (words: LastWords) => !toldElsewhere.test(words.code) && !isForbidden(words);
/** What the program was doing when it ended for a reason that systemd has its own word for is of no account. */
export const notRun = (place: Place) => parts.unitIs(place, 'cannot be run by systemd', neverRan);

/** What to do about it. The hint of the error speaks of the usual reason; the sentence before it may name another one. */
function adviceOn(words: LastWords | null): string {
  const reason = [words?.errno, words?.reason].join(' ');
  if (/not a database|malformed|corrupt/i.test(reason))
    return 'the file is damaged: put it aside, restore it from the newest backup, then start';
  if (/ENOSPC|no space left|no room is left|is full/i.test(reason))
    return 'make room on that file system, then start it';
  if (/EROFS|read-?only/i.test(reason))
    return 'look for a disk error, make the file system writable again, then start it';
  return words?.hint || 'fix what its last line reports, then start it';
}

const endsItself = (of: {
  readonly place: Place;
  readonly name: string;
  readonly who: string;
  readonly predicts: readonly string[];
  readonly others: readonly string[];
  readonly restart: (view: View) => readonly string[];
}): CauseRow => ({
  name: of.name,
  layer: of.place.seat === 'be' ? 'backend' : 'gateway',
  hop: of.place.seat === 'be' ? 'ws-port' : 'gateway',
  host: of.place.seat,
  title: (view) => `${of.who} ends at each start: ${lastWords(view, of.place)?.reason ?? 'its own log says why'}`,
  necessary: [parts.crashing(of.place), ends(of.place, (words) => isPlain(words) && !isIdentity(words))],
  forbids: [
    notRun(of.place),
    ...(of.place.seat === 'gw'
      ? [gateway.linkUp, not('the start limit is latched, and what made it fail is gone', notMerelyLatched)]
      : [signs.backend.directUpgrades]),
  ],
  lookalikes: Object.fromEntries(
    of.others.map((code) => [code, ends(of.place, (words) => isPlain(words) && !isIdentity(words))]),
  ),
  followsFrom: of.place.seat === 'be' ? ['BE-15', 'BE-17'] : ['SYS-31'],
  predicts: of.predicts,
  remedy: (view) => remedy(adviceOn(lastWords(view, of.place)), of.restart(view)),
  help: `The program starts, lacks something that it needs (its state directory, its store, its identity, its trusted certificates, a free port), says so with an error code, and exits; systemd restarts it again and again. The unit's state and "flapping" are only symptoms. The code is explained in docs/errors.md.
Distinguished from an invalid configuration (CFG-03, BE-06) by the code of the last line.`,
});

interface Refusal {
  readonly name: string;
  readonly hint: string;
  readonly code?: number;
  /** When the agent dials again, by the gateway's clock; null where its log does not say. */
  readonly untilMs?: number | null;
}

/** The newest refusal of this gateway's HELLO that no open session has followed. */
function refusal(view: View): Refusal | null {
  const lines = view.value('log.tail', 'gw', 'gateway')?.lines ?? [];
  for (const line of [...lines].reverse()) {
    const spoken = logs.spokenBy(line);
    if (!spoken) continue;
    const { event, fields } = spoken;
    if (event === MESSAGES.sessionOpen.code) return null;
    if (event === MESSAGES.gatewayRefused.code)
      return {
        name: text(fields.name),
        hint: text(fields.hint),
        code: Number(fields.code),
        untilMs: line.atMs === null || typeof fields.delayMs !== 'number' ? null : line.atMs + fields.delayMs,
      };
    if (event === MESSAGES.sessionRefused.code && fields.code === 4107) return { name: 'too_many', hint: '' };
  }
  return null;
}

function refusedFor(...names: readonly string[]): Sign {
  return foundInLog({
    log: ['gw', 'gateway'],
    find: refusal,
    text: ({ name, hint }) => `the backend refuses its HELLO: ${[name, hint].filter(Boolean).join(', ')}`,
    none: "the agent's log names no refusal of its HELLO",
    test: ({ name }) => names.includes(name),
  });
}

const refused = (of: {
  readonly names: readonly string[];
  readonly name: string;
  readonly title: string;
  readonly fix: string;
  readonly commands: (view: View) => readonly string[];
  readonly help: string;
}): CauseRow => ({
  name: of.name,
  layer: 'gateway',
  hop: 'heartbeat',
  host: 'gw',
  title: of.title,
  necessary: [parts.runs(gatewayPlace), gateway.linkDown, refusedFor(...of.names)],
  signature: [gateway.gatewayUpgrades],
  forbids: [gateway.linkUp],
  lookalikes: {
    loop: ['the network keeps it from connecting', refusedFor(...of.names)],
    'SYS-21': refusedFor(...of.names),
  },
  predicts: ['agents.link.up'],
  remedy: (view) => remedy(of.fix, of.commands(view)),
  help: of.help,
});

/** Refusals that speak of one conversation and not of who this gateway is: the next dial may well be taken. */
const ofOneTalk = ['protocol_error', 'probe_refused'];
const clockTime = (ms: number) => `${new Date(ms).toISOString().slice(11, 19)} UTC`;

const waits = sign(
  [
    (view) => {
      const seen = refusal(view);
      const until = seen?.untilMs ? ` and waits until ${clockTime(seen.untilMs)}` : '';
      return `its log says that the backend closed with ${seen?.code} (${seen?.name ?? ''}: ${seen?.hint ?? ''})${until}`;
    },
    'its log does not say that it waits after a refusal',
  ],
  (view) =>
    judge(view, ['log.tail', 'gw', 'gateway'], (tail): Tri => {
      const seen = refusal(view);
      if (!seen || !ofOneTalk.includes(seen.name)) return tail.truncated ? 'unknown' : 'no';
      const now = view.value('host.clock', 'gw')?.epochMs;
      if (now === undefined || !seen.untilMs || tail.sinceMs === null) return 'unknown';
      return now < seen.untilMs ? 'yes' : 'no';
    }),
);

const restartAgent = (view: View) => on(view, 'gw', `systemctl restart ${gatewayUnit(view)}`);

export const ownWordsCauses: readonly CauseRule[] = causesOf(
  { layer: 'configuration', hop: 'gateway', host: 'gw' },
  {
    'CFG-09': {
      name: 'wrong gateway id',
      title: (view) => {
        const id = view.value('agent.config', 'gw', 'gateway')?.gatewayId;
        return `the gateway is configured as ${id ?? 'another gateway'}, and its identity is not that one's`;
      },
      necessary: [parts.crashing(gatewayPlace), ends(gatewayPlace, isIdentity)],
      forbids: [gateway.linkUp, notRun(gatewayPlace)],
      lookalikes: { 'SYS-24': ends(gatewayPlace, isIdentity) },
      predicts: ['gateway.process.running', 'agents.link.up'],
      remedy: (view) =>
        remedy(lastWords(view, gatewayPlace)?.hint || 'correct gateway_id, or enrol the gateway under its new name', [
          `gateway_id = "${view.gateway?.id ?? ''}"`,
          ...on(view, 'gw', `systemctl restart ${gatewayUnit(view)}`),
        ]),
      help: `The id in the configuration is not the one that this gateway was enrolled under; its key belongs to the other name. The agent refuses to start rather than use a wrong identity.`,
    },
    'SYS-24': endsItself({
      place: gatewayPlace,
      name: 'agent exits with an error of its own',
      who: 'the gateway agent',
      predicts: ['gateway.process.running', 'agents.link.up'],
      others: ['CFG-03', 'SYS-05'],
      restart: (view) =>
        on(view, 'gw', `journalctl -u ${gatewayUnit(view)} -n 20`, `systemctl restart ${gatewayUnit(view)}`),
    }),
    'BE-20': endsItself({
      place: backendPlace,
      name: 'backend exits with an error of its own',
      who: 'the backend',
      predicts: ['backend.process.running', 'backend.api.answers', 'backend.agents.listens', 'backend.agents.upgrades'],
      others: ['BE-06', 'BE-07'],
      restart: (view) => on(view, 'be', `journalctl -u ${backendUnit(view)} -n 20`, backendCommand(view, 'restart')),
    }),
    'WS-02': refused({
      names: ['protocol_too_old'],
      name: 'no common protocol version',
      title: 'backend and gateway share no protocol version',
      fix: 'upgrade the older side, then restart the agent (it retries only every ten minutes)',
      commands: restartAgent,
      help: `The handshake works, HELLO is refused: the two programs speak versions of the protocol that have nothing in common. Nothing in the network or in nginx can fix that.`,
    }),
    'WS-03': refused({
      names: ['not_enrolled', 'bad_signature'],
      name: 'identity refused',
      title: "the backend does not accept this gateway's identity",
      fix: 'enrol this gateway again: a one-time token from the backend, then enrol on the gateway',
      commands: restartAgent,
      help: `The gateway reaches the backend, and its HELLO is refused: it is not enrolled there (any more), or its signature does not verify, for instance after the backend's store or the gateway's state was restored from another time.`,
    }),
    'WS-04': refused({
      names: ['identity_conflict'],
      name: 'gateway id used twice',
      title: 'two machines use the id of this gateway',
      fix: 'stop the other machine, or enrol it under an id of its own; then restart this agent',
      commands: restartAgent,
      help: `Two machines speak under one id, often since one is a copy of the other. The backend refuses both rather than to let them take turns.`,
    }),
    'WS-08': {
      name: 'two agents with one identity',
      layer: 'gateway',
      hop: 'heartbeat',
      title: (view) => {
        const from = signs.sessions.remotes(view);
        return `two agents use the identity of ${view.gateway?.id ?? 'this gateway'}, and each takes the session from the other${from.length > 0 ? ` (from ${from.join(' and ')})` : ''}`;
      },
      necessary: [signs.sessions.superseded],
      lookalikes: { flap: ['the network cuts the link', signs.sessions.superseded] },
      predicts: ['agents.link.steady', 'agents.link.up', 'agents.registry.online', 'agents.canary.returns'],
      remedy: (view) =>
        remedy(
          'find the second agent (a copy of the machine, or of its state directory), stop it, and enrol it under an id of its own',
          [
            ...on(view, 'be', `journalctl -u ${backendUnit(view)} -n 50 | grep BE_SESSION`),
            ...on(view, 'gw', 'pgrep -af gateway'),
          ],
        ),
      help: `Two running agents have the same key and id, so each new session supersedes the other's (close code 4002), every few seconds. At any moment the gateway looks connected, but commands are cut off. The backend's log has the addresses that the sessions came from.`,
    },
    'WS-10': {
      name: 'agent waits after a refusal',
      layer: 'gateway',
      hop: 'heartbeat',
      title: (view) => {
        const seen = refusal(view);
        const until = seen?.untilMs ? ` until ${clockTime(seen.untilMs)}` : '';
        return `the agent waits${until} before it dials again, since the backend closed with ${seen?.code ?? 'a code'} (${seen?.name ?? ''})`;
      },
      necessary: [parts.runs(gatewayPlace), gateway.linkDown, waits],
      signature: [gateway.gatewayUpgrades],
      forbids: [gateway.linkUp],
      lookalikes: { 'SYS-21': waits, 'SYS-31': waits, 'NET-19': waits },
      predicts: ['agents.link.up', 'agents.registry.online'],
      remedy: (view) =>
        remedy('restart the agent, or wait; if it is refused again, compare the versions of both sides', [
          ...restartAgent(view),
          ...on(view, 'gw', `journalctl -u ${gatewayUnit(view)} -n 20 | grep ${MESSAGES.gatewayRefused.code}`),
        ]),
      help: `Some close codes of the backend say that coming back at once is of no use, and the agent then waits about ten minutes. What made the backend close (a broken frame, something else than the backend that answered for a moment) may be long gone: the path is fine, as the probe from this host shows, and the agent does not look yet.
Distinguished from an agent that gave up (SYS-21) by its own last line, which says until when it waits.`,
    },
    'BE-14': refused({
      names: ['too_many'],
      name: 'limit of gateways reached',
      title: 'the backend has as many gateways as it is allowed to',
      fix: "raise max_agent_connections in the backend's configuration, or remove gateways that are gone",
      commands: (view) => on(view, 'be', backendCommand(view, 'restart')),
      help: `The handshake works and the backend closes with "too many": its limit of connected gateways is reached. Existing connections keep working.`,
    }),
  },
);
