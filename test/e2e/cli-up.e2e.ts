// The whole system on this machine: what an operator does with it in the first hour, and what may go wrong there.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createLocalSystem, freePorts, type LocalSystem, processesWith } from '../support/local-system.ts';
import type { Running } from '../support/program.ts';

let system: LocalSystem;
beforeAll(async () => {
  system = await createLocalSystem();
});
afterAll(() => system[Symbol.dispose]());

async function stop(running: Running): Promise<{ code: number | null; stdout: string; stderr: string }> {
  running.process.kill('SIGINT');
  const { code, stdout, stderr } = await running.outcome;
  return { code, stdout: stdout.toString(), stderr };
}

describe('a running system', () => {
  let up: Running;
  beforeAll(async () => {
    up = await system.up();
  });
  afterAll(async () => {
    await stop(up);
  });
  const run = (argv: readonly string[], options = {}) => system.run(['run', 'this-machine', ...argv], options);
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

  test('10 MB of random bytes and text beside it arrive whole, the exit code too', async () => {
    const script = `head -c 10000000 /dev/urandom | tee /dev/fd/3 3>&1 1>&4 4>&- | sha256sum >&2; exit 7`;
    const outcome = await run(['--', 'bash', '-c', `exec 4>&1; ${script}`]);
    expect(outcome.code).toBe(7);
    expect(outcome.stdout.length).toBe(10_000_000);
    expect(outcome.stderr).toBe(`${sha256(outcome.stdout)}  -\n`);
  });

  test('a 2 MB line, NULs and invalid UTF-8 pass', async () => {
    const code =
      "process.stdout.write(Buffer.concat([Buffer.alloc(2e6, 'x'), Buffer.from([0, 0xff, 0xfe, 0xc3, 0x28])]))";
    const outcome = await run(['--', process.execPath, '-e', code]);
    const expected = Buffer.concat([Buffer.alloc(2e6, 'x'), Buffer.from([0, 0xff, 0xfe, 0xc3, 0x28])]);
    expect(outcome.stdout.equals(expected)).toBe(true);
  });

  test('standard input, environment, directory', async () => {
    const input = Buffer.from([...Array(70_000).keys()].map((index) => index % 256));
    expect((await run(['--stdin', '--', 'cat'], { stdin: input })).stdout.equals(input)).toBe(true);
    const outcome = await run(['--env', 'A=x y', '--cwd', '/usr', '--shell', '--', 'echo "$A" "$PWD"']);
    expect(outcome.stdout.toString()).toBe('x y /usr\n');
  });

  test.each<[string, readonly string[], number, RegExp]>([
    ['a signal', ['--', 'sh', '-c', 'kill -9 $$'], 137, /SIGKILL/],
    ['a timeout', ['--timeout', '300ms', '--', 'sleep', '60'], 124, /timeout/],
    ['a program that is not there', ['--', '/nonexistent'], 125, /not started/],
    ['an odd verb', ['--verb', 'fly'], 125, /fly/],
  ])('%s has its exit code', async (_name, argv, code, words) => {
    const outcome = await run(argv);
    expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringMatching(words)]);
  });

  test('an unknown gateway, an unknown task, a wrong token', async () => {
    expect(await system.run(['run', 'nobody', '--', 'id'])).toMatchObject({ code: 125 });
    expect(await system.run(['tasks', 'show', 'no-such-task'])).toMatchObject({ code: 1 });
    const wrong = join(system.program.home, 'wrong');
    writeFileSync(wrong, 'x'.repeat(43));
    expect(await system.run(['gateways', '--token-file', wrong])).toMatchObject({ code: 64 });
  });

  test('Ctrl-C leaves no process of the tree, children that detached themselves included', async () => {
    const mark = `mark-${process.pid}`;
    const made = system.start(['run', 'this-machine', '--', 'bash', '-c', `setsid sleep 61.25 & echo ${mark}; wait`]);
    await made.seen(new RegExp(mark));
    made.process.kill('SIGINT');
    expect((await made.outcome).code).toBe(130);
    expect(processesWith('sleep\u000061.25')).toEqual([]);
    expect(processesWith('sleep 61.25')).toEqual([]);
  });

  test('kill -9 of the CLI cancels nothing', async () => {
    const made = system.start(['run', 'this-machine', '--json', '--', 'sh', '-c', 'echo begun; sleep 0.5; echo done']);
    await made.seen(/"output"/);
    const stdout = new Promise<string>((resolve) => {
      void made.outcome.then((outcome) => resolve(outcome.stdout.toString()));
    });
    made.process.kill('SIGKILL');
    const [first = ''] = (await stdout).split('\n');
    const task = (JSON.parse(first) as { command: { tasks: { taskId: string }[] } }).command.tasks[0]?.taskId ?? '';
    const logs = await system.run(['tasks', 'logs', '-f', task]);
    expect(logs.stdout.toString()).toBe('begun\ndone\n');
    expect((await system.run(['tasks', 'show', task])).stdout.toString()).toMatch(/state +exit 0/);
  });

  test('200 × echo hi: 200 outputs', async () => {
    const outcomes: string[] = [];
    for (let batch = 0; batch < 25; batch++) {
      const runs = await Promise.all(
        Array.from({ length: 8 }, (_, index) => run(['--', 'echo', `hi ${batch * 8 + index}`])),
      );
      outcomes.push(...runs.map(({ code, stdout }) => `${code} ${stdout.toString()}`));
    }
    expect(outcomes).toEqual(Array.from({ length: 200 }, (_, index) => `0 hi ${index}\n`));
  });

  test('the gateway is listed, with its verbs', async () => {
    const list = await system.run(['gateways']);
    expect(list.stdout.toString()).toMatch(/^GATEWAY .*\nthis-machine +connected/);
    expect((await system.run(['gateways', 'this-machine'])).stdout.toString()).toMatch(/verbs +.*\bexec\b/);
  });

  test('a second one is told which one runs', async () => {
    const second = await system.run(['up', ...system.portOptions]);
    expect([second.code, second.stderr]).toEqual([64, expect.stringMatching(/running already \(pid \d+/)]);
  });

  test('nothing listens beyond loopback', () => {
    const ports = system.portOptions.filter((word) => /^\d+$/.test(word)).map(Number);
    const lines = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'latin1').split('\n').slice(1));
    const listening = lines.flatMap((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      const [address, port = ''] = local.split(':');
      return state === '0A' && ports.includes(Number.parseInt(port, 16)) ? [address] : [];
    });
    expect(listening.length).toBe(4);
    expect(new Set(listening)).toEqual(new Set(['0100007F']));
  });
});

describe('its life', () => {
  const running = new Set<Running>();
  afterEach(() => {
    for (const { process } of running) process.kill('SIGTERM');
    running.clear();
  });
  const up = async (): Promise<Running> => {
    const made = await system.up();
    running.add(made);
    void made.outcome.finally(() => running.delete(made));
    return made;
  };

  test('Ctrl-C stops everything, running tasks included, and leaves no process', async () => {
    const made = await up();
    const { stdout } = await system.run([
      'run',
      'this-machine',
      '--detach',
      '--',
      'sh',
      '-c',
      "trap '' TERM; sleep 62.5; sleep 62.5",
    ]);
    expect(stdout.toString().trim()).toMatch(/^[a-z0-9-]{8,}$/);
    const ended = await stop(made);
    expect([ended.code, ended.stdout]).toEqual([0, expect.stringMatching(/stopped .*1 running task ended/)]);
    expect(system.alive()).toEqual([]);
    expect(existsSync(join(system.state, 'processes.json'))).toBe(false);
  });

  test('a second Ctrl-C does not wait, and leaves nothing either', async () => {
    const made = await up();
    await system.run(['run', 'this-machine', '--detach', '--', 'sh', '-c', "trap '' TERM; sleep 62.75; sleep 62.75"]);
    made.process.kill('SIGINT');
    await made.seen(/stopping/);
    made.process.kill('SIGINT');
    expect((await made.outcome).code).toBe(130);
    await expect.poll(() => system.alive(), { timeout: 10_000 }).toEqual([]);
  });

  test('what a killed one left behind is ended by the next', async () => {
    const first = await up();
    const before = system.parts();
    first.process.kill('SIGKILL');
    await first.outcome;
    expect(system.alive().length).toBeGreaterThanOrEqual(before.length);
    const second = await up();
    expect((await stop(second)).stdout).toMatch(/leftovers .*backend, .*launcher, gateway/);
    expect(system.alive()).toEqual([]);
  });

  test('the death of a part ends the rest, and says what it said last', async () => {
    const made = await up();
    const gateway = system.parts().find(({ name }) => name === 'gateway');
    process.kill(gateway?.pid ?? 0, 'SIGKILL');
    const outcome = await made.outcome;
    expect([outcome.code, outcome.stderr]).toEqual([
      1,
      expect.stringMatching(/the gateway ended unexpectedly \(SIGKILL\)/),
    ]);
    expect(system.alive()).toEqual([]);
  });

  test('a taken port is named with the option that moves it', async () => {
    const [taken = 0] = await freePorts(1);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(taken, '127.0.0.1', resolve));
    const outcome = await system.run(['up', ...system.portOptions, '--tls-port', String(taken)]);
    await new Promise((resolve) => server.close(resolve));
    expect([outcome.code, outcome.stderr]).toEqual([
      64,
      expect.stringMatching(new RegExp(`port ${taken} .*[\\s\\S]*--tls-port`)),
    ]);
    expect(system.alive()).toEqual([]);
  });

  test('a state directory that cannot be used is named', async () => {
    const file = join(system.program.home, 'file');
    writeFileSync(file, '');
    const outcome = await system.program.run(['up', ...system.portOptions], { env: { XDG_STATE_HOME: file } });
    expect([outcome.code, outcome.stderr]).toEqual([
      64,
      expect.stringMatching(/cannot use the state directory .*[\s\S]*XDG_STATE_HOME/),
    ]);
  });

  test('an operator who lost the token gets a new one', async () => {
    rmSync(join(system.program.home, 'home/.config/viworks'), { recursive: true, force: true });
    const made = await up();
    expect((await system.run(['run', 'this-machine', '--', 'echo', 'hi'])).stdout.toString()).toBe('hi\n');
    await stop(made);
  });

  test('a backend that lost its state gets the gateway enrolled anew', async () => {
    rmSync(join(system.state, 'backend'), { recursive: true, force: true });
    const made = await up();
    expect((await system.run(['run', 'this-machine', '--', 'echo', 'hi'])).stdout.toString()).toBe('hi\n');
    await stop(made);
  });
});
