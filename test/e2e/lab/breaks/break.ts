// What a fault is here: an injection, a witness that confirms it without asking the doctor, and the way back.
import { scheduler } from 'node:timers/promises';
import type { Workbench } from '../workbench.ts';

export interface Break {
  /** The catalogue's code, or `TRAP-…` for something that looks wrong and is not. */
  readonly id: string;
  readonly what: string;
  /** In which form of the lab it can be injected. */
  readonly form: 'systemd' | 'docker';
  readonly inject: (bench: Workbench) => Promise<void>;
  /** Answers with what it saw when the fault is in, with undefined when it is not (yet). Looks only; changes nothing. */
  readonly witness: (bench: Workbench) => Promise<string | undefined>;
  /** What is left to do after the kept files were put back: reloads and restarts. */
  readonly mend?: (bench: Workbench) => Promise<void>;
}

const witnessRounds = 60;
const witnessPauseMs = 250;

/** Injects a fault and waits for its witness; without its word the fault does not count, and is taken back. */
export async function breakLab(fault: Break, bench: Workbench): Promise<string> {
  const own = bench.for(fault.id);
  try {
    await fault.inject(own);
    for (let round = 0; round < witnessRounds; round += 1) {
      const seen = await fault.witness(own);
      if (seen !== undefined) return seen;
      await scheduler.wait(witnessPauseMs);
    }
  } catch (error) {
    await mendLab(fault, bench).catch(() => undefined);
    throw error;
  }
  await mendLab(fault, bench);
  throw new Error(`${fault.id} was injected, but its witness does not see it; it is taken back`);
}

export async function mendLab(fault: Break, bench: Workbench): Promise<void> {
  const own = bench.for(fault.id);
  await own.restore();
  await fault.mend?.(own);
}
