// Where everything lies on a host. One place for every path, so that plan, units and helper agree.

/** Directories and files on a managed host. */
export const LAYOUT = {
  root: '/opt/viworks',
  releases: '/opt/viworks/releases',
  current: '/opt/viworks/current',
  runtimes: '/opt/viworks/runtime',
  apps: '/opt/viworks/app',
  incoming: '/opt/viworks/incoming',
  settings: '/etc/viworks',
  credentials: '/etc/viworks/credstore',
  state: '/var/lib/viworks',
  deployState: '/var/lib/viworks/deploy',
  lock: '/run/viworks-deploy.lock',
  helper: '/usr/local/lib/viworks/host',
  command: '/usr/local/bin/viworks',
  units: '/etc/systemd/system',
  nginxInclude: '/etc/nginx/conf.d/viworks.conf',
  launcherSocket: '/run/viworks/launcher.sock',
  tasks: '/var/lib/viworks/launcher/tasks',
} as const;

/** Accounts that the units need. */
export const ACCOUNTS = {
  backend: 'viworks-backend',
  gateway: 'viworks-gateway',
  launcher: 'viworks-launcher',
} as const;
