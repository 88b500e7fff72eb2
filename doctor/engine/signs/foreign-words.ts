// What is read as text, and why: agents that are not ours, and releases of ours whose log lines had no `event` yet. The only place in the
// doctor where the wording of an agent decides anything; what the present release says is read by its codes.

/** Lines of releases before `event`, by their sentence: frozen, because those programs do not change any more. */
export const OLDER_RELEASES: Readonly<Record<string, string>> = {
  'the program ends': 'RT_PROGRAM_ENDS',
  'session open': 'GW_SESSION_OPEN',
  'session lost': 'GW_SESSION_LOST',
  'session refused': 'GW_SESSION_REFUSED',
  'backend refuses this gateway': 'GW_GATEWAY_REFUSED',
  'WebSocket server listening': 'BE_AGENTS_LISTENING',
};

/**
 * A configuration that cannot work, as our agents (VW_…CONFIG…, `file:line:col  key: …`), serde (`missing field`), and usual loggers word it.
 * Kept narrow: a line that merely names a configuration file must not match.
 */
export const configErrorPattern =
  /VW_[A-Z_]*CONFIG\b|\.(toml|ya?ml|json|conf):\d+:\d+\s+\S*:? ?(missing|unknown key|expected|invalid)|missing (required )?(configuration |config )?(field|key|setting|value|parameter)|(config|configuration|setting)[\w .:"'`-]{0,40}(error|invalid|missing|is required|not set|cannot be empty|validation failed)|(invalid|missing|failed to (load|read|parse))[\w .:"'`-]{0,30}(config|configuration)\b|TOML parse error/i;

/** What an agent says when it will not try again. Ours never stops trying. */
export const gaveUpPattern =
  /giving up|gave up|max(imum)?[ _]?reconnect|no more (re)?connect|reconnect attempts exhausted/i;

/** Whether a gateway refuses since it holds too many tasks; for those from before refusals said what stood in the way (`obstacle`). */
export function saysTooManyHeld(sentence: string): boolean {
  return /\bholds \d+ tasks\b/.test(sentence);
}

/** A backend that claims to listen for agents. */
export const listeningPattern = /websocket server (started|listening|running)/i;
