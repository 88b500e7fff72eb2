// Which kind of configuration a file is.
import { expect, test } from 'vitest';
import { kindOf } from './specs.ts';

test.each([
  ['/etc/viworks/backend.toml', '', 'backend'],
  ['viworks.toml', '', 'inventory'],
  ['lab.toml', '[project]\nname = "lab"\n[backend.api]\nport = 1', 'inventory'],
  ['x.toml', 'state_dir = "/s"\n[api]\nport = 1', 'backend'],
  ['x.toml', 'gateway_id = "a"\nurl = "b"', 'gateway'],
  ['x.toml', 'socket = "/run/x"\ntasks_dir = "/t"', 'launcher'],
  ['acme.toml', '[project]\nnam = "a"\n[tls]\nsource = "files"\n[[gateways]]\ntask_user = "t"', 'inventory'],
  ['x.toml', 'gatway_id = "a"\nurl = "wss://a/ws/agent"', 'gateway'],
  ['x.toml', 'state_dir = "/s"', undefined],
  ['x.toml', 'gateway_id = "a"\n[api]\nport = 1', undefined],
])('%s with %j is %s', (file, text, name) => {
  expect(kindOf(file, text)?.name).toBe(name);
});
