// Who may ask on the terminal, and when: ssh itself asks for passphrases, passwords and codes, one host at a time.
import type { Questions } from './target.ts';

/** Questions with an end: once somebody else draws on the terminal, nothing is asked any more. */
export interface TerminalQuestions extends Questions {
  readonly isAsking: boolean;
  end(): void;
}

/** The questions of a terminal; undefined where nobody sits at one: there, what would be asked is an error at once. */
export function terminalQuestions(terminal: {
  readonly stdin: { readonly isTTY?: boolean };
  readonly stderr: { readonly isTTY?: boolean };
}): TerminalQuestions | undefined {
  if (terminal.stdin.isTTY !== true || terminal.stderr.isTTY !== true) return undefined;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let isOver = false;
  return {
    get mayAsk() {
      return !isOver;
    },
    get isAsking() {
      return waiting > 0;
    },
    end() {
      isOver = true;
    },
    alone<T>(work: () => Promise<T>): Promise<T> {
      waiting++;
      const next = last.then(work).finally(() => waiting--);
      last = next.catch(() => undefined);
      return next;
    },
  };
}
