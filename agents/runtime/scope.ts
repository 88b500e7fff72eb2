// Ordered clean-up: what was opened last is closed first, each entry with a name and a deadline.
import { type Clock, withDeadline } from './clock.ts';
import { runtimeErrors } from './errors.ts';

/** A stack of named clean-ups. */
export interface Scope {
  /** Registers a clean-up; it runs once, in reverse order of registration. Default deadline 5,000 ms. */
  add(name: string, close: () => void | Promise<void>, deadlineMs?: number): void;
  /** Registers an async-disposable resource and gives it back. */
  use<T extends AsyncDisposable>(name: string, resource: T): T;
  /** Runs every clean-up; failures and missed deadlines are collected into one AggregateError. Idempotent. */
  close(): Promise<void>;
  /** Names not closed yet: what a last-resort timer should print. */
  pending(): readonly string[];
}

const DEFAULT_DEADLINE_MS = 5_000;

interface Entry {
  readonly name: string;
  readonly close: () => void | Promise<void>;
  readonly deadlineMs: number;
}

/** Creates an empty scope. */
export function createScope(clock: Clock): Scope {
  const entries: Entry[] = [];
  let closing: Promise<void> | undefined;

  async function closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let entry = entries.at(-1); entry; entry = entries.at(-1)) {
      const { name, deadlineMs, close } = entry;
      try {
        await withDeadline(async () => close(), {
          ms: deadlineMs,
          clock,
          onTimeout: () =>
            runtimeErrors.create('VW_RUNTIME_DEADLINE', { what: `closing ${name}`, limitMs: deadlineMs }),
        });
      } catch (error) {
        failures.push(error);
      }
      entries.pop();
    }
    if (failures.length > 0) throw new AggregateError(failures, 'some parts did not close');
  }

  return {
    add: (name, close, deadlineMs = DEFAULT_DEADLINE_MS) => void entries.push({ name, close, deadlineMs }),
    use(name, resource) {
      this.add(name, () => resource[Symbol.asyncDispose]() as Promise<void>);
      return resource;
    },
    close: () => (closing ??= closeAll()),
    pending: () => entries.map((entry) => entry.name),
  };
}
