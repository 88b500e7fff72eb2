// The command line itself: version, help, mistakes, pipes, signals, colours, completions, contexts.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeBackend, startFakeBackend } from '../support/fake-backend.ts';
import { buildProgram, type Program, watch } from '../support/program.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
let program: Program;
let backend: FakeBackend;
beforeAll(async () => {
  program = buildProgram();
  backend = await startFakeBackend();
  const directory = join(program.home, 'home/.config/viworks');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'acme.token'), backend.token, { mode: 0o600 });
  const acme = { url: backend.url, tokenFile: join(directory, 'acme.token') };
  writeFileSync(join(directory, 'contexts.json'), JSON.stringify({ current: 'acme', contexts: { acme } }));
});
afterAll(async () => {
  await backend[Symbol.asyncDispose]();
  program[Symbol.dispose]();
});

test('the version carries the revision', async () => {
  const { code, stdout, stderr } = await program.run(['--version']);
  expect([code, stdout.toString(), stderr]).toEqual([
    0,
    expect.stringMatching(/^viworks \d+\.\d+\.\d+ \([0-9a-f]{7}\+?\)\n$/),
    '',
  ]);
});

test('nothing asked for: the overview; help in three spellings', async () => {
  const overview = (await program.run([])).stdout.toString();
  expect(overview).toContain('Usage: viworks COMMAND');
  for (const argv of [['--help'], ['help']]) expect((await program.run(argv)).stdout.toString()).toBe(overview);
  const help = (await program.run(['run', '--help'])).stdout.toString();
  expect(help).toMatch(/^Usage: viworks run \[options\] <gateway> -- COMMAND/);
  expect((await program.run(['help', 'run'])).stdout.toString()).toBe(help);
});

test.each([
  [
    ['docter'],
    /unknown command docter; did you mean `viworks doctor`\?\n {2}remedy: .*\nexit 64 \(VW_CLI_UNKNOWN_COMMAND\)\n$/,
  ],
  [['frobnicate'], /unknown command frobnicate\n/],
  [['tasks', 'shwo', 'x'], /did you mean show\?[\s\S]*viworks tasks --help/],
  [['tasks', '--state', 'bogus'], /--state: "bogus" is not one of the choices \(known: queued, .*finished\)/],
  [['tasks', '--limit', '0'], /--limit: "0" is not a number from 1 to 500/],
  [['tasks', 'show', ''], /<task> is empty/],
  [['gateways', ''], /<gateway> is empty/],
  [['deploy', 'plan', '--output', 'xml'], /--output: "xml" is not one of the choices/],
  [['completions', 'bsh'], /did you mean bash\?/],
  [['--verbose', 'run'], /unknown option --verbose/],
  [['gateways', '--jsno'], /Did you mean --json/],
  [['tasks', 'cancel'], /missing required argument 'task'/],
  [['run', 'gw1', '--context', 'nope', '--', 'id'], /unknown context nope; known: acme/],
  [['config', 'check', '/nonexistent.toml'], /cannot read \/nonexistent\.toml: no such file/],
  [['up', '--api-port', 'x'], /--api-port/],
])('%j is told what is wrong, exit 64, no trace', async (argv, words) => {
  const outcome = await program.run(argv);
  expect([outcome.code, outcome.stdout.toString(), outcome.stderr]).toEqual([64, '', expect.stringMatching(words)]);
  expect(outcome.stderr).not.toMatch(/\n\s+at /);
});

test('the trace is there for those who ask', async () => {
  const outcome = await program.run(['docter'], { env: { VIWORKS_DEBUG: '1' } });
  expect(outcome.stderr).toMatch(/\n\s+at /);
});

test('a reader that has seen enough is no error', async () => {
  const made = watch(
    spawn('sh', ['-c', '"$0" config explain | head -n 1', join(ROOT, 'viworks')], {
      env: { ...process.env, VIWORKS_DIST: program.dist },
    }),
  );
  const outcome = await made.outcome;
  expect([outcome.code, outcome.stderr, outcome.stdout.toString().split('\n').length]).toEqual([0, '', 2]);
});

test('a full disk behind stdout is told as such', async () => {
  for (const command of ['tasks', 'run gw1 -- echo hi', 'config explain']) {
    const made = watch(
      spawn('sh', ['-c', `"$0" ${command} > /dev/full`, join(ROOT, 'viworks')], {
        env: { ...process.env, HOME: join(program.home, 'home'), VIWORKS_DIST: program.dist },
      }),
    );
    const { code, stderr } = await made.outcome;
    expect([code, stderr], command).toEqual([
      74,
      expect.stringMatching(/^viworks: cannot write the output: .*no space/),
    ]);
  }
});

test('a token file: open to others is told, a file of something else refused', async () => {
  const file = join(program.home, 'token');
  const ask = () => program.run(['gateways', '--url', backend.url, '--token-file', file]);
  writeFileSync(file, `${backend.token}\n\n`, { mode: 0o644 });
  expect(await ask()).toMatchObject({
    code: 0,
    stderr: `viworks: others may read the token in ${file}: chmod 600 ${file}\n`,
  });
  writeFileSync(file, 'two\nlines\n');
  expect(await ask()).toMatchObject({ code: 64, stderr: expect.stringContaining('it is not one line with a token') });
});

test('colours follow NO_COLOR, FORCE_COLOR and the terminal', async () => {
  expect((await program.run(['docter'])).stderr).not.toContain('\u001b');
  expect((await program.run(['docter'], { env: { FORCE_COLOR: '1' } })).stderr).toContain('\u001b[1m');
  expect((await program.run(['docter'], { env: { FORCE_COLOR: '1', NO_COLOR: '1' } })).stderr).not.toContain('\u001b');
});

test('the current context is used, and another one when it is named', async () => {
  expect((await program.run(['gateways'])).stdout.toString()).toMatch(/^GATEWAY .*\ngw1 +connected/);
  const json = await program.run(['gateways', 'gw1', '--json']);
  expect(JSON.parse(json.stdout.toString())).toMatchObject({ gatewayId: 'gw1', state: 'connected' });
});

test('a page of a proxy is not taken for an answer', async () => {
  const outcome = await program.run(['gateways', '--url', backend.url, '--token-file', '/dev/null']);
  expect([outcome.code, outcome.stderr]).toEqual([
    64,
    expect.stringMatching(/API token from \/dev\/null: the file is empty/),
  ]);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s ends a command that waits with %d', async (signal, code) => {
  const { stdout } = await program.run(['run', 'gw1', '--detach', '--', 'sh', '-c', 'echo begun; sleep 30']);
  const made = program.start(['tasks', 'logs', '-f', stdout.toString().trim()]);
  await made.seen(/begun/);
  made.process.kill(signal);
  const outcome = await made.outcome;
  expect([outcome.code, outcome.stderr]).toEqual([code, '']);
});

test('tasks: the table, one of them, its output, its end', async () => {
  const run = await program.run(['run', 'gw1', '--detach', '--', 'sh', '-c', 'echo out; echo err >&2; exit 4']);
  const id = run.stdout.toString().trim();
  const logs = await program.run(['tasks', 'logs', '--follow', id]);
  expect([logs.code, logs.stdout.toString(), logs.stderr]).toEqual([0, 'out\n', 'err\n']);
  expect((await program.run(['tasks'])).stdout.toString()).toMatch(new RegExp(`${id} +gw1 +exit 4 .* sh -c 'echo out`));
  const shown = (await program.run(['tasks', 'show', id])).stdout.toString();
  expect(shown).toMatch(/state +exit 4\n[\s\S]*stdout +4 bytes\n/);
  expect((await program.run(['tasks', 'cancel', id])).stdout.toString()).toMatch(/had ended already/);
  expect(await program.run(['tasks', 'show', 'nope'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no task nope'),
  });
});

test('bash completes commands, options and gateways', async () => {
  const script = `
    PATH="${program.home}/bin:$PATH"
    source <(viworks completions bash)
    compopt() { echo "files"; }
    tab() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=\${#COMP_LINE}; COMPREPLY=(); __viworks_complete; echo "\${COMPREPLY[*]}"; }
    tab viworks gatew
    tab viworks run g
    tab viworks run gw1 --time
    tab viworks config check ''
    tab viworks run 'g"$(exit 1)'
  `;
  mkdirSync(join(program.home, 'bin'), { recursive: true });
  writeFileSync(join(program.home, 'bin/viworks'), `#!/bin/sh\nexec ${join(ROOT, 'viworks')} "$@"\n`, { mode: 0o755 });
  const env = { PATH: process.env.PATH ?? '', HOME: join(program.home, 'home'), VIWORKS_DIST: program.dist };
  const lines = (await watch(spawn('bash', ['--norc', '-c', script], { env })).outcome).stdout.toString().split('\n');
  expect(lines[0]).toMatch(/gateways.*gateway|gateway.*gateways/);
  expect(lines[1]).toMatch(/^gw1/);
  expect(lines.slice(2)).toEqual(['--timeout', 'files', '', '', '']);
});
