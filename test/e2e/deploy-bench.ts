// What the suites of the deployer share: a build, a lab of two bare hosts, and an operator's home directory.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type HostName, type Lab, openLab } from './lab/index.ts';

const root = new URL('../..', import.meta.url).pathname;

/** How a command ended. */
export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  readonly seconds: number;
}

/** A suite's own lab and build. */
export type DeployBench = Awaited<ReturnType<typeof openDeployBench>>;

/** Builds, and brings up a lab of this name with bare hosts. */
export async function openDeployBench(name: string) {
  const place = mkdtempSync(join(tmpdir(), `viworks-${name}-`));
  const GOOD = join(place, 'dist');
  mkdirSync(join(place, 'home'));
  execFileSync(process.execPath, [join(root, 'cli/build.ts'), '--quiet', '--outdir', GOOD], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const lab: Lab = await openLab({ name });
  await lab.reset('be1');
  await lab.reset('gw1');
  const inventory = lab.inventoryPath;

  function start(args: readonly string[], dist = GOOD): { child: ChildProcess; ended: Promise<Outcome> } {
    const env = { PATH: process.env.PATH, HOME: join(place, 'home'), LANG: 'C.UTF-8', NO_COLOR: '1' };
    const from = performance.now();
    const child = spawn(process.execPath, [join(dist, 'main.js'), ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    const ended = new Promise<Outcome>((resolve) => {
      child.once('close', (code) => resolve({ code, out, err, seconds: (performance.now() - from) / 1000 }));
    });
    return { child, ended };
  }

  const viworks = (args: readonly string[], dist = GOOD): Promise<Outcome> => start(args, dist).ended;
  const apply = (more: readonly string[] = [], dist = GOOD) =>
    viworks(['deploy', 'apply', '-i', inventory, '--yes', ...more], dist);

  async function on(host: HostName, script: string): Promise<string> {
    const result = await lab.run(host, script);
    expect(result.code, `${script}\n${result.stdout}\n${result.stderr}`).toBe(0);
    return result.stdout.trim();
  }

  /** Every name, inode, time, mode and owner of what the deployer manages, and which processes run. */
  const footprint = (host: HostName): Promise<string> =>
    on(
      host,
      `find /opt/viworks /etc/systemd/system /etc/nginx /etc/viworks /var/lib/viworks/deploy /usr/local/lib/viworks \
         -printf '%p %i %T@ %m %u %g\\n' 2>/dev/null | sort; ls -il /usr/local/bin
       systemctl show nginx viworks-backend-agent viworks-gateway-agent viworks-launcher -p MainPID 2>/dev/null
       pgrep -x nginx || true`,
    );

  /** What was there before anything was deployed; times of directories are allowed to move. */
  const traces = (host: HostName): Promise<string> =>
    on(
      host,
      `find /etc/systemd /opt /usr/local /var/lib/viworks /etc/viworks /run/viworks* ! -type d -printf '%p %l %s %T@ %m %u\\n' 2>/dev/null | sort
       grep viworks /etc/passwd /etc/group || true; systemctl list-units --all --plain --no-legend 'viworks*' | cut -d' ' -f1`,
    );

  const current = (host: HostName): Promise<string> => on(host, 'readlink /opt/viworks/current');

  /** The inventory with a change, under a name of its own beside it. */
  function changed(edit: (text: string) => string): string {
    const file = join(lab.dir, 'changed.toml');
    writeFileSync(file, edit(readFileSync(lab.inventoryPath, 'utf8')));
    return file;
  }
  const heartbeat = (seconds: number): string =>
    changed((text) => text.replace('store = "sqlite"', `store = "sqlite"\nheartbeat_seconds = ${seconds}`));

  /** A build whose backend ends at once when it is started as a daemon. */
  function failingBuild(): string {
    const dist = join(place, 'failing');
    cpSync(GOOD, dist, { recursive: true });
    const main = readFileSync(join(dist, 'main.js'), 'utf8');
    const fault =
      "if(process.argv[2]==='backend'&&process.argv[3]==='--config'){console.error('planted fault');process.exit(1)}\n";
    const [first = '', ...rest] = main.split('\n');
    writeFileSync(
      join(dist, 'main.js'),
      first.startsWith('#!') ? [first, fault, ...rest].join('\n') : `${fault}${main}`,
    );
    return dist;
  }

  async function close(): Promise<void> {
    await lab.close();
    rmSync(place, { recursive: true, force: true });
  }
  return {
    place,
    GOOD,
    lab,
    inventory,
    start,
    viworks,
    apply,
    on,
    footprint,
    traces,
    current,
    changed,
    heartbeat,
    failingBuild,
    close,
  };
}
