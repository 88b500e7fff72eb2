// The deployer from the outside, on two bare hosts: in, again, a change, every way to refuse and to go back, and out again.
import { cpSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DeployBench, openDeployBench } from './deploy-bench.ts';
import { labObstacle } from './lab/index.ts';

const obstacle = await labObstacle();
const FOREIGN =
  '[Unit]\nDescription=not ours\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n';
let bench: DeployBench;
let place: DeployBench['place'];
let lab: DeployBench['lab'];
let inventory: DeployBench['inventory'];
let viworks: DeployBench['viworks'];
let apply: DeployBench['apply'];
let on: DeployBench['on'];
let footprint: DeployBench['footprint'];
let traces: DeployBench['traces'];
let current: DeployBench['current'];
let changed: DeployBench['changed'];
let heartbeat: DeployBench['heartbeat'];
let failingBuild: DeployBench['failingBuild'];

beforeAll(async () => {
  if (obstacle !== undefined) return;
  bench = await openDeployBench('e2e-deploy');
  ({ place, lab, inventory, viworks, apply, on, footprint, traces, current, changed, heartbeat, failingBuild } = bench);
});
afterAll(() => bench?.close());

describe.skipIf(obstacle !== undefined)(`the deployer${obstacle ? ` (skipped: ${obstacle})` : ''}`, () => {
  test('a first install that fails leaves the host as it was, foreign files in their places', async () => {
    await on(
      'be1',
      `printf %s '${FOREIGN}' > /etc/systemd/system/viworks-backend-agent.service; systemctl daemon-reload
       echo 'their own' > /usr/local/bin/viworks`,
    );
    const before = { be1: await traces('be1'), gw1: await traces('gw1') };
    const failed = await apply([], failingBuild());
    expect(failed.err).toContain('planted fault');
    expect(failed.err).toContain('is as it was before (verified)');
    expect(failed.err).toContain('stays (package nginx');
    expect(failed.code).toBe(3);
    const keep = /\/(opt\/viworks|usr\/local\/lib\/viworks|var\/lib\/viworks\/deploy)\//;
    for (const host of ['be1', 'gw1'] as const) {
      // The package stays, and says so; so do the release that was marked, its layers and the journal.
      const after = (await traces(host))
        .split('\n')
        .filter((line) => !keep.test(line) && !line.includes('nginx.service'));
      expect(after.join('\n').replace(/\n?\/run\/viworks\S* .*/g, '')).toBe(before[host]);
    }
    expect(await on('be1', 'systemctl is-active nginx')).toBe('active');
    await on(
      'be1',
      'rm /etc/systemd/system/viworks-backend-agent.service /usr/local/bin/viworks; systemctl daemon-reload',
    );
  });

  test('a host without room is refused before anything is written', async () => {
    await lab.reset('be1');
    await lab.reset('gw1');
    await on('gw1', 'mount -t tmpfs -o size=100m small /opt');
    const refused = await apply();
    expect([refused.code, refused.err]).toEqual([
      11,
      expect.stringMatching(/gw1: there is \d+ MB free in \/opt, the release needs \d+ MB/),
    ]);
    expect(refused.err).toContain('df -h /opt');
    expect(await on('gw1', 'find /opt -mindepth 1; umount /opt; ls /usr/local/lib/viworks 2>/dev/null || true')).toBe(
      '',
    );
    expect(await on('be1', 'ls /opt /usr/local/lib')).toBe('/opt:\n\n/usr/local/lib:');
  });

  test('one command from two bare hosts to a gateway that runs commands', async () => {
    const applied = await apply();
    expect(applied.code, applied.err).toBe(0);
    expect(applied.seconds).toBeLessThan(60);
    expect(applied.out).toMatch(/^committed on 2 hosts in \d+ s/);
    const ran = await viworks(['run', 'gw-lab', '--', 'sh', '-c', 'id -un; exit 7']);
    expect([ran.out, ran.code], ran.err).toEqual(['viworks-task\n', 7]);
    const refused = await viworks(['run', 'gw-lab', '--detach', '--', '/nonexistent']);
    expect([refused.code, refused.err]).toEqual([125, expect.stringContaining('no such program')]);
    const context = join(place, 'home/.config/viworks');
    for (const file of ['contexts.json', 'lab.token']) expect(statSync(join(context, file)).mode & 0o777).toBe(0o600);
    // Secrets: neither in a log nor in a file that others may read, and the one-time token is gone.
    const token = readFileSync(join(context, 'lab.token'), 'utf8').trim();
    expect(
      await on(
        'be1',
        `journalctl --no-pager | grep -c '${token}' || true; grep -rl '${token}' /opt /etc /var/lib/viworks/deploy || true`,
      ),
    ).toBe('0');
    expect(await on('gw1', 'stat -c %a:%s /etc/viworks/credstore/enrolment-token')).toBe('600:0');
    expect(
      await on('be1', 'find /etc/viworks/credstore -type f ! -perm 600; find / -xdev -name "ca.key" 2>/dev/null'),
    ).toBe('');
  });

  test('the second apply changes nothing, in under a second', async () => {
    const before = [await footprint('be1'), await footprint('gw1')];
    const again = await apply();
    expect([again.code, again.err]).toEqual([0, '']);
    expect(again.out).toMatch(/^no changes \(2 hosts, /);
    expect(again.seconds).toBeLessThan(1);
    expect([await footprint('be1'), await footprint('gw1')]).toEqual(before);
    expect((await viworks(['deploy', 'plan', '-i', inventory])).code).toBe(0);
  });

  test('a change of one value restarts what it concerns and nothing else', async () => {
    const file = heartbeat(7);
    const plan = await viworks(['deploy', 'plan', '-i', file]);
    expect(plan.code).toBe(2);
    expect(plan.err).toMatch(/-heartbeat_seconds = 10\n\s+\+heartbeat_seconds = 7/);
    const gateway = await footprint('gw1');
    const applied = await viworks(['deploy', '-i', file]);
    expect(applied.code, applied.err).toBe(0);
    expect(applied.out).toMatch(/^committed on 1 host /);
    expect(await footprint('gw1')).toBe(gateway);
    expect(await on('be1', 'grep heartbeat /opt/viworks/current/etc/backend.toml')).toBe('heartbeat_seconds = 7');
    expect((await viworks(['run', 'gw-lab', '--', 'echo', 'hi'])).out).toBe('hi\n');
  });

  test('rollback goes back once, and the second time says that there is nothing', async () => {
    const back = await viworks(['deploy', 'rollback', '-i', inventory, '--yes']);
    expect(back.code, back.err).toBe(0);
    expect(await on('be1', 'grep heartbeat /opt/viworks/current/etc/backend.toml')).toBe('heartbeat_seconds = 10');
    expect((await viworks(['deploy', 'rollback', '-i', inventory, '--yes'])).code).toBe(64);
    expect((await apply()).out).toMatch(/^no changes/);
    expect((await viworks(['deploy', 'apply', '-i', heartbeat(7), '--yes'])).code).toBe(6);
  });

  test('an nginx configuration that nginx refuses never goes live', async () => {
    const broken = join(place, 'broken');
    cpSync(bench.GOOD, broken, { recursive: true });
    const template = join(broken, 'templates/nginx/viworks-ws.conf.tmpl');
    writeFileSync(template, readFileSync(template, 'utf8').replace('proxy_buffering off;', 'proxy_bufferin off;'));
    const before = [
      await current('be1'),
      await on('be1', 'find /etc/nginx /opt/viworks/current/ -printf "%p %i %T@\\n" | sort; pgrep -x nginx'),
    ];
    for (let round = 0; round < 2; round++) {
      const refused = await apply([], broken);
      expect(refused.code, refused.err).toBe(6);
      expect(refused.err).toContain('unknown directive "proxy_bufferin"');
    }
    const after = [
      await current('be1'),
      await on('be1', 'find /etc/nginx /opt/viworks/current/ -printf "%p %i %T@\\n" | sort; pgrep -x nginx'),
    ];
    expect(after).toEqual(before);
    expect((await apply()).out).toMatch(/^no changes/);
  });

  test('a release that does not come up is taken back everywhere, and remembered', async () => {
    const before = [await current('be1'), await current('gw1')];
    const failed = await apply([], failingBuild());
    expect(failed.code, failed.err).toBe(3);
    expect(failed.err).toMatch(/be1 +is back on \S+ \(verified\)/);
    expect([await current('be1'), await current('gw1')]).toEqual(before);
    expect((await viworks(['run', 'gw-lab', '--', 'echo', 'still'])).out).toBe('still\n');
    const again = await apply([], join(place, 'failing'));
    expect([again.code, again.err]).toEqual([6, expect.stringContaining('failed here before')]);
    expect((await apply()).out).toMatch(/^no changes/);
  });

  test.each<[string, (text: string) => string, number, RegExp]>([
    ['a changed host key', (text) => text.replace(/SHA256:...../g, 'SHA256:AAAAA'), 9, /nothing was sent/],
    [
      'a host that is not there',
      (text) => text.replace(/address( *)= "\S+"/, 'address$1= "192.0.2.1"'),
      8,
      /no SSH connection/,
    ],
    ['a user without rights', (text) => text.replaceAll('"root"', '"op"'), 10, /ALL=\(root\) NOPASSWD/],
    [
      'a port used twice',
      (text) => text.replace('store = "sqlite"', 'api = { port = 8081 }'),
      64,
      /:\d+:\d+ {2}backend\.api\.port: 8081 is also backend\.agents\.port/,
    ],
  ])('%s is told with its place and remedy', async (_name, edit, code, said) => {
    const before = await footprint('be1');
    const refused = await viworks(['deploy', 'apply', '-i', changed(edit), '--yes']);
    expect(refused.code, refused.err).toBe(code);
    expect(refused.err).toMatch(said);
    expect(refused.err).toContain('remedy:');
    expect(await footprint('be1')).toBe(before);
  });

  test('a backend that is set up anew gets its gateways back', async () => {
    await lab.reset('be1');
    const applied = await apply();
    expect(applied.code, applied.err).toBe(0);
    expect((await viworks(['run', 'gw-lab', '--', 'echo', 'again'])).out).toBe('again\n');
  });

  test('remove leaves nothing but the package that it says', async () => {
    const removed = await viworks(['deploy', 'remove', '-i', inventory, '--yes']);
    expect(removed.code, removed.err).toBe(0);
    expect(removed.err).toContain('package nginx');
    for (const host of ['be1', 'gw1'] as const) {
      const left = await on(
        host,
        'find / -xdev -name "*viworks*" ! -path "/proc/*" ! -path "/home/*" ! -path "/run/*" 2>/dev/null; grep viworks /etc/passwd || true; systemctl list-units --all --plain --no-legend "viworks*"',
      );
      expect(left).toBe('');
    }
    expect((await viworks(['deploy', 'status', '-i', inventory])).out).toMatch(
      /nothing installed[\s\S]*nothing installed/,
    );
  });
});
