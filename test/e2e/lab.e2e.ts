// The lab itself: two real hosts come up, are what they claim to be, and leave nothing behind, also after a kill.
import { spawn } from 'node:child_process';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { scheduler } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { processesIn } from './lab/cgroup.ts';
import { breaks, labObstacle, openLab } from './lab/index.ts';
import { layoutOf, repositoryRoot } from './lab/layout.ts';

const name = 'e2e-lab';
const layout = layoutOf(name);
const obstacle = await labObstacle();

/** Everything on this machine that carries the lab's names. */
async function traces(): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(layout.id));
  const links = (await readdir('/sys/class/net')).filter((link) => link.includes(layout.id));
  const namespaces = (await readdir('/run/netns').catch(() => [])).filter((entry) => entry.includes(layout.id));
  const machines = (await readdir('/run/systemd/nspawn/propagate').catch(() => [])).filter((entry) =>
    entry.includes(layout.id),
  );
  const disks = (await stat(layout.disks).catch(() => undefined)) ? [layout.disks] : [];
  const groups: string[] = [];
  for (const dir of await readdir('/sys/fs/cgroup')) {
    if (await stat(path.join('/sys/fs/cgroup', dir, layout.cgroup)).catch(() => undefined))
      groups.push(`${dir}/${layout.cgroup}`);
  }
  const processes = (await processesIn(layout.cgroup)).map((pid) => `process ${pid}`);
  return [...mounts, ...links, ...namespaces, ...machines, ...disks, ...groups, ...processes];
}

const cli = (...args: readonly string[]) =>
  spawn(process.execPath, ['test/e2e/lab/main.ts', ...args, '--name', name], { cwd: repositoryRoot, stdio: 'ignore' });

const ended = (child: ReturnType<typeof cli>) => new Promise<number | null>((resolve) => child.on('exit', resolve));

describe.skipIf(obstacle !== undefined)(`the lab${obstacle ? ` (skipped: ${obstacle})` : ''}`, () => {
  afterAll(async () => {
    await ended(cli('down'));
    await rm(layout.dir, { recursive: true, force: true });
  });

  test('two bare hosts answer over ssh, as root and as the ordinary user', async () => {
    const lab = await openLab({ name });
    for (const host of ['be1', 'gw1'] as const) {
      const root = await lab.ssh(
        host,
        'hostname; systemctl is-system-running; command -v nginx node curl nc || echo bare',
      );
      expect(root).toMatchObject({ code: 0, stdout: `${host}\nrunning\nbare` });
      const user = await lab.ssh(host, 'id -un; id -nG; sudo -n true 2>/dev/null || echo no-sudo', 'op');
      expect(user).toMatchObject({ code: 0, stdout: 'op\nop\nno-sudo' });
    }
    const name1 = await lab.ssh('gw1', 'getent hosts agents.example.test');
    expect(name1.stdout.split(/\s+/)[0]).toBe(lab.hosts.be1);
  });

  test('a second up finds it up, and a slow first boot is not repeated', async () => {
    const said: string[] = [];
    const lab = await openLab({ name, say: (line) => said.push(line) });
    expect(said).toEqual([`lab ${name} is up`]);
    expect(await readFile(lab.inventoryPath, 'utf8')).toContain(`address       = "${lab.hosts.gw1}"`);
  });

  test('nginx installs from the package source that the host has, with no network', async () => {
    const lab = await openLab({ name });
    const installed = await lab.ssh(
      'be1',
      'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q nginx-light && nginx -v',
    );
    expect(installed).toMatchObject({ code: 0, stderr: expect.stringContaining('nginx/1.22') });
  });

  test('a fault counts only with its witness, and mending puts the file back as it was', async () => {
    const lab = await openLab({ name });
    await lab.installOld();
    const before = await lab.run(
      'be1',
      'stat -c "%Y %a" /etc/nginx/conf.d/viworks.conf; cat /etc/nginx/conf.d/viworks.conf',
    );
    expect(await lab.break('NGX-01')).toEqual(['an upgrade through nginx gives 404']);
    await expect(lab.break('DOC-01')).rejects.toThrow('belongs to the docker form');
    expect(await lab.mend()).toEqual(['NGX-01']);
    expect(
      (await lab.run('be1', 'stat -c "%Y %a" /etc/nginx/conf.d/viworks.conf; cat /etc/nginx/conf.d/viworks.conf'))
        .stdout,
    ).toBe(before.stdout);
    // Nothing runs a launcher here, so its fault cannot be confirmed, and is not noted as one.
    await expect(lab.break('CMD-01')).rejects.toThrow();
    expect(await lab.mend()).toEqual([]);
  });

  test('reset gives a bare host again', async () => {
    const lab = await openLab({ name });
    await lab.reset('be1');
    expect((await lab.ssh('be1', 'command -v nginx || echo bare')).stdout).toBe('bare');
  });

  test('down leaves nothing', async () => {
    const lab = await openLab({ name });
    expect(await traces()).not.toEqual([]);
    await lab.close();
    expect(await traces()).toEqual([]);
  });

  test('what a killed up left is taken away by the next one, or by down', async () => {
    const killed = cli('up');
    while (!(await stat(`/run/netns/${layout.namespace}`).catch(() => undefined))) await scheduler.wait(5);
    killed.kill('SIGKILL');
    await ended(killed);
    expect(await traces()).not.toEqual([]);
    const lab = await openLab({ name });
    expect((await lab.ssh('gw1', 'systemctl is-system-running')).stdout).toBe('running');
    expect(await ended(cli('down'))).toBe(0);
    expect(await traces()).toEqual([]);
  });
});

test('every fault and trap has an id of its own and says what it is', () => {
  expect(new Set(breaks.map((entry) => entry.id)).size).toBe(breaks.length);
  for (const entry of breaks) {
    expect(entry.id).toMatch(/^(BE|NGX|NGR|SYS|CFG|NET|TLS|WS|DOC|CMD|SSH|EXP|OTHER|TRAP)-[A-Z0-9-]+$/);
    expect(entry.what.length).toBeGreaterThan(10);
  }
});
