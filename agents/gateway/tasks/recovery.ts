// What became of a task while the agent was away: the journal's state and the launcher's evidence → one verdict. Pure table.
import type { EntryState } from '../journal/ledger.ts';
import type { Ending, Evidence } from './launcher-protocol.ts';

/** What to do with a task at the start. Nothing here ever starts anything. */
export type Verdict =
  | { readonly kind: 'running' }
  | { readonly kind: 'finished'; readonly ending: Ending }
  | { readonly kind: 'not_started'; readonly message: string }
  | { readonly kind: 'start_failed'; readonly stage: string; readonly errno: string }
  | { readonly kind: 'indeterminate'; readonly message: string }
  | { readonly kind: 'report_again' }
  | { readonly kind: 'forget' };

/** Judges one task. The evidence must come from `seal`, so that "not started" stays true. */
export function judgeTask(state: EntryState, evidence: Evidence, sameBoot: boolean): Verdict {
  if (state === 'settled') return { kind: 'forget' };
  // The result or refusal is on disk; what the launcher still knows cannot change it.
  if (state === 'exited' || state === 'refused') return { kind: 'report_again' };
  switch (evidence.state) {
    case 'running':
    case 'starting':
    case 'orphaned':
    case 'ending':
    case 'paused':
      return { kind: 'running' };
    case 'exited':
      return { kind: 'finished', ending: evidence.ending };
    case 'start_failed':
      return { kind: 'start_failed', stage: evidence.stage, errno: evidence.errno };
    case 'indeterminate':
      return { kind: 'indeterminate', message: evidence.message };
    case 'not_started':
    case 'unknown':
    case 'forgotten':
      return missing(state, sameBoot);
    case 'refused':
      return { kind: 'indeterminate', message: evidence.message };
  }
}

// Without a trace in the spool: that proves "never started" only if the spool cannot have been lost since.
function missing(state: EntryState, sameBoot: boolean): Verdict {
  if (state === 'received')
    return { kind: 'not_started', message: 'the agent was restarted before it began to start the task' };
  if (state === 'starting' && sameBoot) {
    return { kind: 'not_started', message: 'the agent was restarted before the launcher was asked' };
  }
  if (state === 'starting')
    return { kind: 'indeterminate', message: 'the host was restarted while the task was being started' };
  return { kind: 'indeterminate', message: 'the task ran, and its spool is gone' };
}
