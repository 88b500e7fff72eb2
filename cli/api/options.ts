// The options that every command of the HTTP API's client has.
import type { OptionSpec } from '../../agents/runtime/index.ts';

/** Which backend, as whom. Each has a variable: VIWORKS_CONTEXT, VIWORKS_URL, VIWORKS_TOKEN_FILE, VIWORKS_TRUST_FILE. */
export const TARGET_OPTIONS: readonly OptionSpec[] = [
  { flags: '--context <name>', help: 'context of ~/.config/viworks/contexts.json to use (default: the current one)' },
  { flags: '--url <url>', help: 'the backend, e.g. https://agents.example.test' },
  { flags: '--token-file <file>', help: 'file with the API token' },
  { flags: '--trust-file <file>', help: 'CA certificates (PEM) to trust instead of the system’s' },
];

/** Exit codes that every client command may end with. */
export const CLIENT_EXIT_CODES = [
  { code: 64, means: 'usage, configuration or token' },
  { code: 69, means: 'the backend cannot be reached, or cannot do it now' },
  { code: 130, means: 'interrupted by Ctrl-C (143: by SIGTERM)' },
] as const;
