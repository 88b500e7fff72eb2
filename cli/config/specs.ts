// Every configuration file that there is, and how to recognise one. Each room's schema is loaded when it is asked for.
import type { ConfigSpec } from '../../agents/runtime/index.ts';

/** A kind of configuration file. */
export interface ConfigKind {
  readonly name: 'backend' | 'gateway' | 'launcher' | 'inventory';
  /** The name that such a file usually has. */
  readonly file: string;
  /** A top-level key that no other kind has. */
  readonly mark: RegExp;
  load(): Promise<ConfigSpec>;
}

export const CONFIG_KINDS: readonly ConfigKind[] = [
  {
    name: 'inventory',
    file: 'viworks.toml',
    mark: /^\s*\[(project|hosts\b)/m,
    load: async () => (await import('../../deploy/inventory/index.ts')).configSpec,
  },
  {
    name: 'backend',
    file: 'backend.toml',
    mark: /^\s*(\[(api|agents)\]|max_agent_connections\s*=)/m,
    load: async () => (await import('../../agents/backend/config.ts')).configSpec,
  },
  {
    name: 'gateway',
    file: 'gateway.toml',
    mark: /^\s*(\[(local_api|verbs|policy)\]|(gateway_id|launcher_socket)\s*=|url\s*=\s*"wss?:)/m,
    load: async () => (await import('../../agents/gateway/config.ts')).configSpec,
  },
  {
    name: 'launcher',
    file: 'launcher.toml',
    mark: /^\s*(agent_user|socket)\s*=/m,
    load: async () => (await import('../../agents/gateway/launcher-config.ts')).launcherConfigSpec,
  },
];

/** The kind of a file: by its name, else by what only one kind has. */
export function kindOf(file: string, text: string): ConfigKind | undefined {
  const base = file.slice(file.lastIndexOf('/') + 1);
  const named = CONFIG_KINDS.find((kind) => kind.file === base);
  const marked = CONFIG_KINDS.filter((kind) => kind.mark.test(text));
  return named ?? (marked.length === 1 ? marked[0] : undefined);
}
