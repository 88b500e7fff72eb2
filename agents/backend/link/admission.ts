// Who may try a handshake now: a bucket for all upgrades, a cap on handshakes under way, and addresses that sent wrong signatures.
import type { Clock } from '../../runtime/index.ts';

/** Upgrades a second: ten thousand gateways are back within 20 s, and a TLS handshake for each costs 2–3 ms of CPU. */
const UPGRADES_PER_SECOND = 500;
const UPGRADE_BURST = 1_000;
/** Handshakes under way: each may hold one small frame for at most 5 s. */
const MAX_PENDING = 2_000;
/** Wrong signatures from one address within the window; many gateways may share an address, but none is wrong for long. */
const MAX_BAD_HELLOS = 50;
const BAD_WINDOW_MS = 10_000;

/** Admission of upgrades. */
export interface Admission {
  judge(address: string, pending: number): 'admit' | 'busy' | 'blocked';
  badHello(address: string): void;
}

/** Creates an admission that has let nobody in yet. */
export function createAdmission(clock: Clock): Admission {
  let tokens = UPGRADE_BURST;
  let refilledAt = clock.monotonicMs();
  let windowStart = refilledAt;
  let bad = new Map<string, number>();

  function roll(now: number): void {
    tokens = Math.min(UPGRADE_BURST, tokens + ((now - refilledAt) * UPGRADES_PER_SECOND) / 1000);
    refilledAt = now;
    if (now - windowStart < BAD_WINDOW_MS) return;
    windowStart = now;
    bad = new Map();
  }

  return {
    judge(address, pending) {
      roll(clock.monotonicMs());
      if ((bad.get(address) ?? 0) >= MAX_BAD_HELLOS) return 'blocked';
      if (tokens < 1 || pending >= MAX_PENDING) return 'busy';
      tokens -= 1;
      return 'admit';
    },
    badHello(address) {
      bad.set(address, (bad.get(address) ?? 0) + 1);
    },
  };
}
