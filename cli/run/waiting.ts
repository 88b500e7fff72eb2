// What is said while nobody has taken the command: why, for how long it is waited, and how to have it otherwise. Pure.
import type { http } from '../../agents/protocol/index.ts';
import { renderSpan } from '../duration.ts';

/** The gateway's state as it was asked for; undefined when it could not be. */
type Known = Pick<http.GatewayBody, 'state' | 'lastSeenAt'> | undefined;

/** What the backend says of a task that has just been made. */
type Made = Pick<http.TaskBody, 'gatewayId' | 'createdAt' | 'expiresAt'>;

/** One line without its end: `gw1 is offline, last seen 3 min ago; …`. Every time in it is of the backend's clock: ours may be wrong. */
export function describeWait(task: Made, known: Known): string {
  const upTo = renderSpan(Math.max(0, task.expiresAt - task.createdAt)).replace(/\.0 /, ' ');
  return `${task.gatewayId} ${stateOf(known, task.createdAt)}; waiting for it up to ${upTo} (--ttl changes that)`;
}

function stateOf(known: Known, madeAt: number): string {
  switch (known?.state) {
    case 'disconnected':
      return known.lastSeenAt === undefined ? 'is offline' : `is offline, last seen ${ago(madeAt - known.lastSeenAt)}`;
    case 'never_connected':
      return 'has never connected';
    case 'connected':
      return 'is connected, but has not taken the command yet';
    default:
      return 'has not taken the command yet';
  }
}

// It may have gone after the task was made.
function ago(ms: number): string {
  return ms < 1_000 ? 'just now' : `${renderSpan(ms)} ago`;
}
