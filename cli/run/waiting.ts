// What is said while nobody has taken the command: why, for how long it is waited, and how to have it otherwise. Pure.
import type { http } from '../../agents/protocol/index.ts';
import { renderSpan } from '../duration.ts';

/** The gateway's state as it was asked for; undefined when it could not be. */
type Known = Pick<http.GatewayBody, 'state' | 'lastSeenAt'> | undefined;

/** One line without its end: `gw1 is offline (last seen 3 min ago); …`. */
export function describeWait(task: Pick<http.TaskBody, 'gatewayId' | 'expiresAt'>, known: Known, now: number): string {
  const upTo = renderSpan(Math.max(0, task.expiresAt - now)).replace(/\.0 /, ' ');
  return `${task.gatewayId} ${stateOf(known, now)}; waiting for it up to ${upTo} (--ttl changes that)`;
}

function stateOf(known: Known, now: number): string {
  switch (known?.state) {
    case 'disconnected':
      return known.lastSeenAt === undefined
        ? 'is offline'
        : `is offline, last seen ${renderSpan(Math.max(0, now - known.lastSeenAt))} ago`;
    case 'never_connected':
      return 'has never connected';
    case 'connected':
      return 'is connected, but has not taken the command yet';
    default:
      return 'has not taken the command yet';
  }
}
