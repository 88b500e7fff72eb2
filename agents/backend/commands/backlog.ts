// How many tasks a gateway is given at a time. What goes beyond waits here, in order: a gateway refuses what it cannot name in HELLO.
import { limits } from '../../protocol/index.ts';

/** Below what a gateway may hold, by what can be under way to it while its own count already fell. */
const MAX_GIVEN = Math.floor(limits.MAX_HELD_TASKS * 0.75);

/** Tasks by gateway: given to it, or waiting for room. */
export interface Backlog {
  /** True when the task may be given to its gateway now; else it waits. */
  admit(gatewayId: string, taskId: string): boolean;
  /** The task has ended; gives the one whose turn it is. */
  release(gatewayId: string, taskId: string): string | undefined;
  /** A new session: exactly these are held by the gateway. */
  reset(gatewayId: string, held: Iterable<string>): void;
}

interface Shelf {
  readonly given: Set<string>;
  readonly waiting: Set<string>;
}

/** Creates an empty backlog. */
export function createBacklog(limit = MAX_GIVEN): Backlog {
  const shelves = new Map<string, Shelf>();

  function shelf(gatewayId: string): Shelf {
    const known = shelves.get(gatewayId);
    if (known) return known;
    const fresh = { given: new Set<string>(), waiting: new Set<string>() };
    shelves.set(gatewayId, fresh);
    return fresh;
  }

  return {
    admit(gatewayId, taskId) {
      const { given, waiting } = shelf(gatewayId);
      if (given.size >= limit && !given.has(taskId)) {
        waiting.add(taskId);
        return false;
      }
      waiting.delete(taskId);
      given.add(taskId);
      return true;
    },
    release(gatewayId, taskId) {
      const { given, waiting } = shelf(gatewayId);
      given.delete(taskId);
      waiting.delete(taskId);
      if (given.size >= limit) return undefined;
      const [next] = waiting;
      return next;
    },
    reset(gatewayId, held) {
      shelves.set(gatewayId, { given: new Set(held), waiting: new Set() });
    },
  };
}
