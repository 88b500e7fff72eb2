// Where an installation keeps what the faults change: the same answers for one made by `viworks deploy` and one made by hand.
import type { HostName } from './layout.ts';
import type { Workbench } from './workbench.ts';

export const vhostFile = '/etc/nginx/conf.d/viworks.conf';
export const backendUnit = 'viworks-backend-agent.service';
export const gatewayUnit = 'viworks-gateway-agent.service';
export const launcherUnit = 'viworks-launcher.service';
export const backendSockets = 'viworks-backend-api.socket viworks-backend-agents.socket';
const oldPrograms = '/opt/old-system';

/** Whether `viworks deploy` made this installation. */
export async function isManaged(bench: Workbench): Promise<boolean> {
  return (await bench.attempt('be1', 'test -L /opt/viworks/current')).code === 0;
}

/** The vhost that nginx runs, with the deployer's one include line resolved. */
export async function vhostText(bench: Workbench): Promise<string> {
  return bench.run(
    'be1',
    `f=${vhostFile}; inc=$(sed -n 's/^[[:space:]]*include[[:space:]]\\+\\(.*\\);.*/\\1/p' $f | head -1)
     if [ -n "$inc" ] && ! grep -q 'server[[:space:]]*{' $f; then cat $inc; else cat $f; fi`,
  );
}

/** Lets nginx run another vhost, as a hand edit on the host does. */
export async function changeVhost(bench: Workbench, edit: (text: string) => string): Promise<void> {
  const before = await vhostText(bench);
  const after = edit(before);
  if (after === before) throw new Error('the edit changed nothing in this vhost');
  await bench.write('be1', vhostFile, after);
  await reloadNginx(bench);
  await dropTunnels(bench);
}

/** The way back from `changeVhost`: the kept file is in place again, and nginx and the gateway take it up. */
export async function vhostBack(bench: Workbench): Promise<void> {
  await reloadNginx(bench);
  await dropTunnels(bench);
  await restartGateway(bench);
}

/** Reloads nginx and waits until no worker of the old configuration takes connections. */
export async function reloadNginx(bench: Workbench): Promise<void> {
  await bench.run(
    'be1',
    `nginx -t -q || exit 1
     if ! systemctl is-active -q nginx; then systemctl reset-failed nginx; systemctl start nginx; exit 0; fi
     before=$(pgrep -f 'nginx: worker process$'); systemctl reload nginx
     for i in $(seq 100); do
       new=$(pgrep -f 'nginx: worker process$'); same=0
       for pid in $before; do case " $(echo $new) " in *" $pid "*) same=1;; esac; done
       [ $same = 0 ] && [ -n "$new" ] && exit 0; sleep 0.05
     done`,
  );
}

/** Cuts the tunnels that live on in nginx workers of an older configuration, so that the gateway has to dial anew. */
async function dropTunnels(bench: Workbench): Promise<void> {
  await bench.attempt(
    'be1',
    `for pid in $(pgrep -P "$(cat /run/nginx.pid)"); do
       tr '\\0' ' ' < /proc/$pid/cmdline | grep -q 'shutting down' && kill $pid
     done; true`,
  );
}

export async function restartGateway(bench: Workbench): Promise<void> {
  await bench.attempt(
    'gw1',
    `systemctl daemon-reload; systemctl reset-failed ${gatewayUnit}; systemctl restart --no-block ${gatewayUnit}`,
  );
}

export async function stopBackend(bench: Workbench): Promise<void> {
  await bench.attempt('be1', `systemctl stop ${backendSockets} 2>/dev/null; systemctl stop ${backendUnit}`);
}

export async function restartBackend(bench: Workbench): Promise<void> {
  await bench.attempt(
    'be1',
    `systemctl daemon-reload
     systemctl stop ${backendUnit}; systemctl reset-failed ${backendUnit} ${backendSockets}
     for socket in ${backendSockets}; do systemctl cat $socket >/dev/null 2>&1 && systemctl restart $socket; done
     systemctl start ${backendUnit}`,
  );
}

/** The configuration file that a unit's command line names. */
export async function configOf(bench: Workbench, host: HostName, unit: string): Promise<string> {
  const file = await bench.run(
    host,
    `systemctl cat ${unit} | sed -n 's/^ExecStart=.*[ =]\\([^ ]*\\.toml\\).*/\\1/p' | tail -1`,
  );
  if (!file.trim()) throw new Error(`${unit} names no configuration file`);
  return file.trim();
}

/** The Node runtime that the installation brought with it. */
async function runtimeOf(bench: Workbench, host: HostName): Promise<string> {
  const found = await bench.run(host, `ls ${oldPrograms}/node /opt/viworks/current/runtime/node 2>/dev/null | head -1`);
  if (!found.trim()) throw new Error(`${host} has no Node runtime; install a system on the lab first`);
  return found.trim();
}

export const program = (name: string) => `${oldPrograms}/${name}`;

export const oldUnit = (description: string, command: string, extra = '') => `[Unit]
Description=${description}
After=network.target

[Service]
ExecStart=${command}
Restart=always
RestartSec=5
${extra}
[Install]
WantedBy=multi-user.target
`;

export async function oldGatewayCommand(bench: Workbench, config: string): Promise<string> {
  return `${await runtimeOf(bench, 'gw1')} ${program('old-gateway.mjs')} ${config}`;
}
