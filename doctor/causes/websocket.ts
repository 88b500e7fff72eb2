// Causes in the WebSocket protocol itself, after the upgrade or in its answer: a frame that is too big, pings that nobody answers, a backend
// that does not name the agents' subprotocol.
import { MESSAGES as BACKEND_MESSAGES } from '../../agents/backend/messages.ts';
import { MESSAGES } from '../../agents/gateway/messages.ts';
import {
  type CauseRule,
  causesOf,
  judge,
  type LogLine,
  type Sign,
  sign,
  signs,
  some,
  type Tri,
  type View,
} from '../engine/index.ts';
import { backendCommand, gatewayUnit, on, remedy } from './texts.ts';

const { backend, gateway, logs, parts } = signs;
const lost = [MESSAGES.sessionLost.code, BACKEND_MESSAGES.sessionLost.code] as readonly string[];
const places = [parts.gatewayPart, parts.backendPart] as const;

/** What a line says of a session that ended; null for any other line. Programs that are not ours say it in words. */
interface End {
  readonly code: number | null;
  readonly words: string;
}

function endOf(line: LogLine, view: View): End | null {
  const spoken = logs.spokenBy(line);
  if (!spoken) return { code: null, words: line.text };
  if (!lost.includes(spoken.event)) return null;
  const { code, closeCode, reason, gateway: id } = spoken.fields;
  if (typeof id === 'string' && id !== view.gateway?.id) return null;
  const number = typeof closeCode === 'number' ? closeCode : code;
  return { code: typeof number === 'number' ? number : null, words: typeof reason === 'string' ? reason : '' };
}

/** What a link that never came to a session ends in: then the newest trouble is another one. */
const otherTrouble: readonly string[] = [MESSAGES.gatewayRefused.code, MESSAGES.backendUnreachable.code];
const isTrouble = (line: LogLine): boolean => {
  const event = logs.spokenBy(line)?.event;
  return event !== undefined && [...lost, ...otherTrouble].includes(event);
};

function linesOf(view: View, at: (typeof places)[number], test: (end: End) => boolean): readonly LogLine[] {
  const lines = view.value('log.tail', at.seat, at.part)?.lines ?? [];
  const fits = (line: LogLine): boolean => {
    const end = endOf(line, view);
    return end !== null && test(end) && logs.isRecent(view, at.seat, line);
  };
  const newest = lines.findLast(isTrouble);
  return newest && !fits(newest) ? [] : lines.filter(fits);
}

/** Sessions end like this again and again, by either side's log: once may be chance. */
function endsWith(says: string, test: (end: End) => boolean): Sign {
  const text = (view: View) => {
    const line = places.flatMap((at) => linesOf(view, at, test)).at(-1);
    return line ? `${says}: ${logs.excerpt(line.text)}` : "neither side's log names such an end of a session";
  };
  return sign([text, text], (view) =>
    some(
      places.map((at) =>
        judge(view, ['log.tail', at.seat, at.part], (tail): Tri => {
          const found = linesOf(view, at, test).length;
          if (found >= 2) return tail.sinceMs === null ? 'unknown' : 'yes';
          return tail.truncated || found > 0 ? 'unknown' : 'no';
        }),
      ),
    ),
  );
}

const isTooBig = ({ code, words }: End) =>
  code === 1009 ||
  /max(imum)? payload (size )?exceeded|message too (big|large)|frame too large|\bclose[d]?\b[^\n]*\b1009\b/i.test(
    words,
  );
const isNoPong = ({ code, words }: End) =>
  code === null &&
  /\b(no|missing|missed|without|unanswered)\b[^\n]{0,20}\bp[io]ngs?\b|\b(pong|ping) (timeout|timed out)\b/i.test(words);
const tooBig = endsWith('sessions end over a frame that is too big', isTooBig);
const noPong = endsWith('sessions end since no pong comes', isNoPong);

/** The limit is on the side that complains: the agent's own log has the reason, or the code that the other side sent. */
const limitOf = (view: View): 'agent' | 'backend' => {
  const own = linesOf(view, parts.gatewayPart, isTooBig).at(-1);
  return own && endOf(own, view)?.code !== 1009 ? 'agent' : 'backend';
};

const namesNone = sign(
  [
    (view) => `port ${view.topology.backend.agentsPort} answers 101 and does not name the subprotocol of the agents`,
    (view) => `port ${view.topology.backend.agentsPort} names the subprotocol of the agents, or does not answer 101`,
  ],
  (view) => judge(view, ['ws.upgrade', 'be', 'direct'], (seen) => seen.ended === 'no-subprotocol'),
);

export const websocketCauses: readonly CauseRule[] = causesOf(
  { layer: 'backend', hop: 'heartbeat', host: 'gw' },
  {
    'WS-05': {
      name: 'pings are not answered',
      title: 'the agent does not answer pings, and its sessions are closed for it',
      necessary: [parts.runs(parts.gatewayPart), noPong, gateway.gatewayUpgrades],
      // A device on the way that drops small frames would look the same; only the agent's own word tells.
      signature: [sign('the agent itself says that it does not answer', () => 'unknown')],
      lookalikes: { flap: ['the network loses the link', gateway.gatewayUpgrades] },
      predicts: ['agents.link.up', 'agents.link.steady', 'agents.registry.online'],
      remedy: (view) =>
        remedy('upgrade the agent to a build that answers pings', [
          ...on(view, 'gw', `journalctl -u ${gatewayUnit(view)} -n 20`, `systemctl restart ${gatewayUnit(view)}`),
        ]),
      help: `A peer that sends pings (RFC 6455 §5.5.2) closes a link on which no pong comes, however much data flows on it. The upgrade works each time, and the sessions end after the same time. Agents of viworks count any frame as a sign of life.`,
    },
    'WS-06': {
      name: 'frame too big',
      title: (view) =>
        limitOf(view) === 'agent'
          ? 'the backend sends a frame that is larger than the agent accepts'
          : 'the agent sends a frame that is larger than the backend accepts',
      necessary: [tooBig, gateway.gatewayUpgrades],
      lookalikes: { flap: ['the network loses the link', tooBig] },
      predicts: ['agents.link.up', 'agents.link.steady', 'agents.registry.online', 'agents.canary.returns'],
      remedy: (view) =>
        remedy('run the same release on both sides; raise the limit on the side that complains', [
          ...on(view, 'gw', `journalctl -u ${gatewayUnit(view)} -n 20`),
        ]),
      help: `Each side has a limit for one frame (maxPayload) and closes with 1009, "message too big", when the other one exceeds it. It happens again with the same message after each reconnect, so the link flaps. Neither the network nor nginx looks at frames.`,
    },
    'WS-07': {
      name: 'no common subprotocol',
      host: 'be',
      hop: 'upgrade',
      about: 'backend',
      title: (view) =>
        `what serves port ${view.topology.backend.agentsPort} upgrades and does not speak the subprotocol of the agents`,
      necessary: [backend.agentsListens, namesNone],
      forbids: [signs.identity.answersAsStranger],
      lookalikes: { 'NGX-36': namesNone },
      predicts: ['backend.agents.upgrades', 'nginx.agents.upgrades', 'network.agents.upgrades', 'agents.link.up'],
      remedy: (view) =>
        remedy(
          'run releases of backend and agents that share a subprotocol',
          on(view, 'be', backendCommand(view, 'restart')),
        ),
      help: `The agents ask for a subprotocol by name and leave at once where the answer does not repeat it ("Server sent no subprotocol"), although it says 101. The same on the backend's own port: so it is the backend, not nginx (NGX-36).`,
    },
  },
);
