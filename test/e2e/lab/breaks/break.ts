// What a fault is here: an injection, a witness that confirms it without asking the doctor, and the way back.
import { scheduler } from 'node:timers/promises';
import { backendUnit, gatewayUnit } from '../places.ts';
import { healthy } from '../witness.ts';
import type { Workbench } from '../workbench.ts';

/**
 * `cause`: this one and no other; `latent`: nothing is broken now, this will be; `healthy`: it only looks wrong; `sight`: a host cannot be
 * looked at; `unexplained`: no rule knows it, so the broken hop and no cause.
 */
export interface Answer {
  readonly kind: 'cause' | 'latent' | 'healthy' | 'sight' | 'unexplained';
  readonly code: string | null;
}

export interface Break {
  /** The catalogue's code, or `TRAP-…` for something that looks wrong and is not. */
  readonly id: string;
  readonly what: string;
  /** In which form of the lab it can be injected. */
  readonly form: 'systemd' | 'docker';
  /** What the doctor has to say where the id does not say it. */
  readonly answer?: Answer;
  readonly inject: (bench: Workbench) => Promise<void>;
  /** Answers with what it saw when the fault is in, with undefined when it is not (yet). Looks only; changes nothing. */
  readonly witness: (bench: Workbench) => Promise<string | undefined>;
  /** What is left to do after the kept files were put back: reloads and restarts. */
  readonly mend?: (bench: Workbench) => Promise<void>;
}

const witnessRounds = 120; // half a minute: nginx waits for a name that nobody resolves before it gives up
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

/** How long a part has to have run before its silence says anything: below that it may still be starting, and is excused. */
const adultSeconds = [
  { host: 'be1', unit: backendUnit, seconds: 6 },
  { host: 'gw1', unit: gatewayUnit, seconds: 11 },
] as const;
const settleRounds = 60;

/** Waits until no part is so young that it is to be excused: a fault of real life has been there for a while. */
export async function settle(bench: Workbench): Promise<void> {
  await Promise.all(
    adultSeconds.map(async ({ host, unit, seconds }) => {
      const young = `systemctl is-active -q ${unit} || exit 1
        started=$(systemctl show -P ExecMainStartTimestampMonotonic ${unit})
        now=$(sed 's/ .*//; s/\\.//' /proc/uptime)0000
        [ $((now - started)) -lt ${seconds}000000 ]`;
      for (let round = 0; round < settleRounds && (await bench.attempt(host, young)).code === 0; round += 1) {
        await scheduler.wait(witnessPauseMs);
      }
    }),
  );
}

export async function mendLab(fault: Break, bench: Workbench): Promise<void> {
  const own = bench.for(fault.id);
  await own.restore();
  await fault.mend?.(own);
}

const wellAgainRounds = 180; // 45 s: three quarters of the longest back-off, which full jitter rarely passes

/** Waits until the installation works again as the outside sees it; gives up silently, since some labs have nothing that could. */
export async function wellAgain(bench: Workbench): Promise<void> {
  for (let round = 0; round < wellAgainRounds; round += 1) {
    if (await healthy(bench).catch(() => true)) return;
    await scheduler.wait(witnessPauseMs);
  }
}
