// The deployer among people: who works on a host by hand, who deploys at the same time, who ends it early, and what they are told.
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DeployBench, openDeployBench } from './deploy-bench.ts';
import { labObstacle } from './lab/index.ts';

const obstacle = await labObstacle();
let bench: DeployBench;
let lab: DeployBench['lab'];
let inventory: DeployBench['inventory'];
let start: DeployBench['start'];
let viworks: DeployBench['viworks'];
let apply: DeployBench['apply'];
let on: DeployBench['on'];
let current: DeployBench['current'];
let changed: DeployBench['changed'];
let heartbeat: DeployBench['heartbeat'];

beforeAll(async () => {
  if (obstacle !== undefined) return;
  bench = await openDeployBench('e2e-deploy-people');
  ({ lab, inventory, start, viworks, apply, on, current, changed, heartbeat } = bench);
});
afterAll(() => bench?.close());

describe.skipIf(obstacle !== undefined)(`the deployer among people${obstacle ? ` (skipped: ${obstacle})` : ''}`, () => {
  test('it is installed', async () => {
    const applied = await apply();
    expect(applied.code, applied.err).toBe(0);
  });

  test('`viworks` is there on the hosts for what remedies say, and says what it is not', async () => {
    for (const user of ['root', 'op']) {
      const as = (command: string): string =>
        `su -s /bin/sh ${user} -c 'PATH=/usr/local/bin:/usr/bin:/bin; ${command}'`;
      expect(await on('gw1', as('viworks gateway --check'))).toBe(
        'the configuration is good: /opt/viworks/current/etc/gateway.toml',
      );
      expect(await on('be1', as('viworks backend --check'))).toContain('/opt/viworks/current/etc/backend.toml');
      expect(await on('gw1', as('viworks config check /opt/viworks/current/etc/launcher.toml'))).toContain('OK');
      const absent = await lab.run('gw1', as('viworks doctor'));
      expect([absent.code, absent.stderr]).toEqual([64, expect.stringContaining('not installed on this host')]);
    }
    expect(await on('be1', 'viworks backend token create --role viewer --name x')).toMatch(/^vw_\S+$/);
    expect(await on('be1', 'find /var/lib/viworks/backend ! -user viworks-backend')).toBe('');
    for (const command of ['gateway --check --config /var/lib/viworks/gateway/identity.json', 'enroll']) {
      const refused = await lab.run('gw1', `su -s /bin/sh op -c 'viworks ${command}'`);
      expect([refused.code, refused.stderr]).toEqual([64, expect.stringMatching(/may not read[\s\S]*remedy: .*sudo/)]);
    }
  });

  test('a command of that name that is not ours stays, and ours comes when it is gone', async () => {
    await on('gw1', "rm /usr/local/bin/viworks; echo 'their own' > /usr/local/bin/viworks");
    expect((await apply()).out).toMatch(/^no changes/);
    const status = await viworks(['deploy', 'status', '-i', inventory]);
    expect([status.code, status.out]).toEqual([
      0,
      expect.stringContaining('/usr/local/bin/viworks is not ours and was left as it is'),
    ]);
    expect(await on('gw1', 'cat /usr/local/bin/viworks; rm /usr/local/bin/viworks')).toBe('their own');
    const mended = await apply();
    expect(mended.code, mended.err).toBe(0);
    expect(await on('gw1', 'viworks --version')).toMatch(/^viworks /);
    expect((await apply()).out).toMatch(/^no changes/);
  });

  test('what can be verified neither way is held, told once, and heals with the next apply', async () => {
    const dropIn = '/etc/systemd/system/viworks-backend-agent.service.d';
    await on(
      'be1',
      `mkdir ${dropIn}; printf '[Service]\\nExecStartPre=/bin/false\\n' > ${dropIn}/x.conf; systemctl daemon-reload`,
    );
    const held = await viworks(['deploy', 'apply', '-i', heartbeat(6), '--yes']);
    expect(held.code, held.err).toBe(4);
    expect(held.err.match(/neither the new nor the old/g)).toHaveLength(1);
    expect(held.err).toMatch(/\n {2}new: viworks-backend-agent\.service: [\s\S]*\n {2}old: be1: viworks-backend-agent/);
    expect(held.err).not.toMatch(/\{\w+\}|command created/);
    const status = await viworks(['deploy', 'status', '-i', inventory]);
    expect([status.code, status.out]).toEqual([
      2,
      expect.stringMatching(/be1 +hold[\s\S]*held: .*viworks deploy apply/),
    ]);
    await on('be1', `rm -r ${dropIn}; systemctl daemon-reload`);
    const healed = await apply();
    expect(healed.code, healed.err).toBe(0);
    expect((await viworks(['run', 'gw-lab', '--', 'echo', 'healed'])).out).toBe('healed\n');
    expect((await apply()).out).toMatch(/^no changes/);
  });

  test('while one deploys, another is told who; and when the first one dies, the hosts go back by themselves', async () => {
    const before = await current('be1');
    const file = changed(
      (text) =>
        `${text.replace('store = "sqlite"', 'store = "sqlite"\nheartbeat_seconds = 8')}\n[deploy]\nsoak_seconds = 60\n`,
    );
    const first = start(['deploy', 'apply', '-i', file, '--yes', '--output', 'ndjson']);
    await new Promise<void>((resolve) => {
      first.child.stdout?.on('data', (text: string) => text.includes('canary') && resolve());
      first.child.once('close', () => resolve());
    });
    expect(await current('be1')).not.toBe(before);
    const second = await viworks(['deploy', 'apply', '-i', heartbeat(9), '--yes']);
    expect([second.code, second.err]).toEqual([
      5,
      expect.stringMatching(/another deploy is running: \w+@\S+, project lab, since \S+ \(apply\)/),
    ]);
    // The loser shares the gateway's release with the winner, and must not take it away from under it.
    const shared = await on('gw1', 'readlink -f /opt/viworks/current');
    expect(await on('gw1', `test -f ${shared}/manifest.json && echo there`)).toBe('there');
    first.child.kill('SIGKILL');
    await first.ended;
    await expect
      .poll(async () => (await lab.run('be1', 'cat /var/lib/viworks/deploy/state.json')).stdout, {
        timeout: 20_000,
        interval: 250,
      })
      .toContain('"phase": "committed"');
    expect(await current('be1')).toBe(before);
    expect((await apply()).out).toMatch(/^no changes/);
    expect((await viworks(['run', 'gw-lab', '--', 'echo', 'back'])).out).toBe('back\n');
    // Who interrupts is told what becomes of each host, and the release is not blamed for it.
    const interrupted = start(['deploy', 'apply', '-i', file, '--yes', '--output', 'ndjson']);
    await new Promise<void>((resolve) => {
      interrupted.child.stdout?.on('data', (text: string) => text.includes('canary') && resolve());
      interrupted.child.once('close', () => resolve());
    });
    interrupted.child.kill('SIGTERM');
    const left = await interrupted.ended;
    expect([left.code, left.out]).toEqual([
      143,
      expect.stringContaining('switched, rolling back automatically now: be1'),
    ]);
    expect(JSON.parse(left.out.trim().split('\n').at(-1) ?? '')).toMatchObject({ type: 'result', exitCode: 143 });
    const soon = file.replace(/[^/]+$/, 'soon.toml');
    writeFileSync(soon, readFileSync(file, 'utf8').replace('soak_seconds = 60', 'soak_seconds = 1'));
    for (const host of ['be1', 'gw1'] as const)
      await expect
        .poll(() => on(host, 'grep phase /var/lib/viworks/deploy/state.json'), { timeout: 20_000, interval: 250 })
        .toContain('committed');
    expect(await current('be1')).toBe(before);
    const again = await viworks(['deploy', 'apply', '-i', soon, '--yes']);
    expect([again.code, again.err]).toEqual([0, expect.not.stringContaining('failed here before')]);
    expect((await apply()).code).toBe(0);
  });

  test('Ctrl-C on the way back still tells what had failed', async () => {
    const before = await current('be1');
    const failing = start(['deploy', 'apply', '-i', inventory, '--yes', '--output', 'ndjson'], bench.failingBuild());
    await new Promise<void>((resolve) => {
      failing.child.stdout?.on('data', (text: string) => text.includes('"status":"failed"') && resolve());
      failing.child.once('close', () => resolve());
    });
    failing.child.kill('SIGINT');
    const left = await failing.ended;
    expect(left.code, left.err).toBe(130);
    expect(JSON.parse(left.out.trim().split('\n').at(-1) ?? '')).toMatchObject({
      exitCode: 130,
      summary: expect.stringMatching(
        /rolling back automatically now: be1\nfailed before: be1: .*viworks-backend-agent/,
      ),
    });
    await expect
      .poll(() => on('be1', 'grep phase /var/lib/viworks/deploy/state.json'), { timeout: 30_000, interval: 250 })
      .toContain('committed');
    expect(await current('be1')).toBe(before);
    expect((await apply()).out).toMatch(/^no changes/);
  });

  test('what was changed by hand is shown, and kept when it has to go', async () => {
    await on('be1', 'echo "# mine" >> /etc/nginx/conf.d/viworks.conf');
    expect((await viworks(['deploy', 'plan', '-i', inventory])).code).toBe(2);
    const refused = await apply();
    expect([refused.code, refused.err]).toEqual([
      13,
      expect.stringContaining('/etc/nginx/conf.d/viworks.conf (edited)'),
    ]);
    expect(await on('be1', 'tail -n 1 /etc/nginx/conf.d/viworks.conf')).toBe('# mine');
    expect(refused.err).toMatch(/viworks\.conf \(edited on the host\)\n +@@.*\n[\s\S]*-# mine\n/);
    // An edit in the release that runs, too: what was running is the way back, with its edit.
    await on('be1', "sed -i 's/^heartbeat_seconds = .*/heartbeat_seconds = 3/' /opt/viworks/current/etc/backend.toml");
    const overwritten = await viworks(['deploy', 'apply', '-i', heartbeat(5), '--yes', '--overwrite']);
    expect([overwritten.code, overwritten.err]).toEqual([0, expect.stringContaining('-heartbeat_seconds = 3')]);
    expect((await apply(['--overwrite'])).code).toBe(0);
    expect(
      await on(
        'be1',
        'tail -n 1 /etc/nginx/conf.d/viworks.conf.viworks-orig; rm /etc/nginx/conf.d/viworks.conf.viworks-orig',
      ),
    ).toBe('# mine');
    expect((await apply()).out).toMatch(/^no changes/);
  });

  test('a gateway that left the inventory is told as long as it answers, and can be taken off alone', async () => {
    const without = changed((text) => text.replace(/\[\[gateways\]\][\s\S]*?(?=\n\[hosts)/, ''));
    for (const command of ['plan', 'status']) {
      const told = await viworks(['deploy', command, '-i', without]);
      expect([told.code, told.err]).toEqual([
        0,
        expect.stringMatching(/· connected but not in this inventory: gw-lab .*\n.*deploy remove --host gw1;/),
      ]);
    }
    expect((await viworks(['deploy', 'remove', '--host', 'gw2', '-i', without, '--yes'])).code).toBe(64);
    const removed = await viworks(['deploy', 'remove', '--host', 'gw1', '-i', without, '--yes']);
    expect([removed.code, removed.out], removed.err).toEqual([0, expect.stringMatching(/^removed from 1 host/)]);
    expect(await on('gw1', 'ls -d /opt/viworks /usr/local/bin/viworks 2>/dev/null || true')).toBe('');
    expect(await on('be1', 'systemctl is-active viworks-backend-agent')).toBe('active');
    expect((await viworks(['deploy', 'apply', '-i', inventory, '--yes'])).code).toBe(0);
    expect((await viworks(['run', 'gw-lab', '--', 'echo', 'here'])).out).toBe('here\n');
  });
});
