// Where the files are that are not TypeScript: beside the bundle in dist/, or in their rooms when run from source.
import { join } from 'node:path';

declare const __VIWORKS_BUNDLED__: boolean | undefined;

/** Files that processes need at run time: name beside the bundle → path in the repository. `cli/build.ts` copies them. */
export const ASSETS = {
  'launcher.pl': 'agents/gateway/launcher/launcher.pl',
  'launcher-os.pl': 'agents/gateway/launcher/launcher-os.pl',
  'launcher-tasks.pl': 'agents/gateway/launcher/launcher-tasks.pl',
  'notify.pl': 'agents/runtime/notify.pl',
  templates: 'templates',
} as const;

/** The assets that are the launcher: launcher.pl and what it loads from beside itself. */
export const LAUNCHER_FILES = [
  'launcher.pl',
  'launcher-os.pl',
  'launcher-tasks.pl',
] as const satisfies readonly (keyof typeof ASSETS)[];

/** Absolute path of an asset, also when run from source. */
export function assetFile(name: keyof typeof ASSETS): string {
  const bundled = typeof __VIWORKS_BUNDLED__ === 'boolean' && __VIWORKS_BUNDLED__;
  return bundled ? join(import.meta.dirname, name) : join(import.meta.dirname, '../..', ASSETS[name]);
}
