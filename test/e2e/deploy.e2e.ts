// The deployer from the outside, on two bare hosts: in, again, a change, every way to refuse and to go back, and out again.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HostName, type Lab, labObstacle, openLab } from './lab/index.ts';

const root = new URL('../..', import.meta.url).pathname;
const obstacle = await labObstacle();
const place = mkdtempSync(join(tmpdir(), 'viworks-deploy-e2e-'));
const GOOD = join(place, 'dist');
const FOREIGN =
  '[Unit]\nDescription=not ours\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n';
let lab: Lab;
let inventory: string;

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  readonly seconds: number;
}

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
  writeFileSync(join(dist, 'main.js'), first.startsWith('#!') ? [first, fault, ...rest].join('\n') : `${fault}${main}`);
  return dist;
}

beforeAll(async () => {
  if (obstacle !== undefined) return;
  mkdirSync(join(place, 'home'));
  execFileSync(process.execPath, [join(root, 'cli/build.ts'), '--quiet', '--outdir', GOOD], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  lab = await openLab({ name: 'e2e-deploy' });
  await lab.reset('be1');
  await lab.reset('gw1');
  inventory = lab.inventoryPath;
});
afterAll(async () => {
  await lab?.close();
  rmSync(place, { recursive: true, force: true });
});

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
      expect.stringMatching(/gw1: \/opt has \d+ MB free, the release needs \d+ MB/),
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

  test('`viworks` is there on the hosts for what remedies say, and says what it is not', async () => {
    for (const user of ['root', 'op']) {
      const as = (command: string): string =>
        `su -s /bin/sh ${user} -c 'PATH=/usr/local/bin:/usr/bin:/bin; ${command}'`;
      expect(await on('gw1', as('viworks gateway --check'))).toBe(
        'the configuration is good: /opt/viworks/current/etc/gateway.toml',
      );
      expect(await on('be1', as('viworks backend --check'))).toContain('/opt/viworks/current/etc/backend.toml');
      expect(await on('gw1', as('viworks config check /opt/viworks/current/etc/launcher.toml'))).toContain('right');
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
    cpSync(GOOD, broken, { recursive: true });
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
      expect.stringMatching(/another deploy is at work: \w+@\S+, project lab, since \S+ \(apply\)/),
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
    interrupted.child.kill('SIGINT');
    const left = await interrupted.ended;
    expect([left.code, left.out]).toEqual([130, expect.stringContaining('switched, going back by itself now: be1')]);
    expect(left.out.trim().split('\n').at(-1)).toContain('"type":"result"');
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
