// Which units may run on something other than what their fingerprint says. Pure; the plan shows it, the host acts on it.
import type { Drift, HostState, ReleaseUnit } from './manifest.ts';

/** What an edited file of a release is read by, where its name is not the unit's own. */
const READERS: Readonly<Record<string, string>> = {
  'backend.toml': 'viworks-backend-agent.service',
  'gateway.toml': 'viworks-gateway-agent.service',
  'launcher.toml': 'viworks-launcher.service',
  'trust.pem': 'viworks-gateway-agent.service',
};

/**
 * Units that may have been started with a file edited by hand, or that a held deploy left in a state nobody verified: putting
 * the files right does not put them right, they have to be started again.
 */
export function unitsInDoubt(
  units: readonly ReleaseUnit[],
  seen: { readonly phase: HostState['phase']; readonly drift: readonly Drift[] },
): readonly string[] {
  const names = units.map((unit) => unit.name);
  if (seen.phase === 'hold') return names;
  const edited = seen.drift.filter(({ what }) => what === 'edited' || what === 'replaced');
  const read = new Set(
    edited.map(({ path }) => path.slice(path.lastIndexOf('/') + 1)).map((file) => READERS[file] ?? file),
  );
  return names.filter((name) => read.has(name));
}
