// The table of all faults.
import type { Break } from './break.ts';

export const breaks: readonly Break[] = [];

export function findBreak(id: string): Break {
  const found = breaks.find((entry) => entry.id === id.toUpperCase());
  if (!found) throw new Error(`there is no break ${JSON.stringify(id)}; \`npm run -s lab -- breaks\` lists them`);
  return found;
}
