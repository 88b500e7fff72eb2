// The lab as an inventory: what an operator would write by hand for these two hosts.
import type { HostName } from './layout.ts';
import type { Slice } from './network.ts';
import { serverName } from './seed.ts';

export interface InventoryFacts {
  readonly slice: Slice;
  readonly fingerprints: Readonly<Record<HostName, string>>;
  readonly user: string;
  readonly docker: boolean;
}

export function renderInventory({ slice, fingerprints, user, docker }: InventoryFacts): string {
  const nginx = docker
    ? 'mode = "container"\nname = "nginx"\nconfig_path = "/etc/nginx/conf.d/viworks.conf"'
    : 'mode = "own-vhost"\ninstall = true';
  const host = (name: HostName, runtime: string) => `[hosts.${name}]
address       = "${slice.hosts[name]}"
user          = "${user}"
identity_file = "id_ed25519"
host_key      = "${fingerprints[name]}"
runtime       = "${runtime}"
`;
  return `# The lab's inventory, written by \`npm run -s lab -- up\`.

[project]
name        = "lab"
server_name = "${serverName}"

[tls]
source = "built-in-ca"
ca_dir = "ca"

[backend]
host  = "be1"
store = "sqlite"

[backend.nginx]
${nginx}

[[gateways]]
id        = "gw-lab"
host      = "gw1"
labels    = { site = "lab" }
task_user = "viworks-task"

${host('be1', docker ? 'docker' : 'systemd')}
${host('gw1', 'systemd')}`;
}
