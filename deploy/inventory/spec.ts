// viworks.toml as data, for `viworks config` and the documents.
import type { ConfigSpec } from '../../agents/runtime/index.ts';
import { checkInventory } from './check.ts';
import { inventorySchema } from './schema.ts';

/** No variable overrides an inventory: what is deployed must be readable from one file. */
export const configSpec: ConfigSpec<typeof inventorySchema> = {
  name: 'inventory',
  summary: 'what is where: viworks.toml',
  schema: inventorySchema,
  check: checkInventory,
};
