// What is where: viworks.toml, typed and judged before anything connects. It knows no host's state and renders nothing.
export {
  type BackendPlan,
  type GatewayPlan,
  type HostPlan,
  type Inventory,
  type Listen,
  loadInventory,
  type TlsSource,
  toInventory,
} from './inventory.ts';
export { type InventoryFile, inventorySchema } from './schema.ts';
export { configSpec } from './spec.ts';
