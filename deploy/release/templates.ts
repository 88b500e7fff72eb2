// Reads the templates from where this build keeps them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assetFile } from '../../agents/runtime/index.ts';
import { TEMPLATE_NAMES, type Templates } from '../plan/render.ts';

/** Loads every template; a missing one is a broken package and throws as such. */
export async function loadTemplates(signal?: AbortSignal): Promise<Templates> {
  const directory = assetFile('templates');
  const entries = await Promise.all(
    TEMPLATE_NAMES.map(
      async (name) => [name, await readFile(join(directory, name), { encoding: 'utf8', signal })] as const,
    ),
  );
  return Object.fromEntries(entries) as Record<(typeof TEMPLATE_NAMES)[number], string>;
}
