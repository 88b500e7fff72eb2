// What may run on this host, whatever the backend says: allow and deny patterns. Pure.

/** Patterns `VERB` or `VERB:COMMAND LINE`; `*` matches any characters. Deny wins. */
export interface Policy {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** Whether a run is allowed; else the pattern that forbids it. `commandLine` is the argv joined with spaces, or the script. */
export function judge(
  policy: Policy,
  wanted: { readonly verb: string; readonly commandLine: string },
): { readonly allowed: true } | { readonly allowed: false; readonly because: string } {
  const denied = policy.deny.find((pattern) => matches(pattern, wanted));
  if (denied !== undefined) return { allowed: false, because: `policy.deny has ${JSON.stringify(denied)}` };
  if (policy.allow.some((pattern) => matches(pattern, wanted))) return { allowed: true };
  return { allowed: false, because: 'nothing in policy.allow matches' };
}

function matches(pattern: string, wanted: { readonly verb: string; readonly commandLine: string }): boolean {
  const colon = pattern.indexOf(':');
  if (colon < 0) return glob(pattern, wanted.verb);
  return glob(pattern.slice(0, colon), wanted.verb) && glob(pattern.slice(colon + 1), wanted.commandLine);
}

// Linear in pattern × text: a pattern of an operator must not be able to hang the agent, as a regular expression could.
function glob(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let retry = 0;
  let index = 0;
  while (index < text.length) {
    if (pattern[at] === '*') {
      star = at++;
      retry = index;
    } else if (pattern[at] === text[index]) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++retry;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
