// The screen on a terminal: a PTY, a terminal emulator, the built program. What can be read at first sight, and that leaving gives
// the terminal back with the short report on it.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { type IPty, spawn } from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildProgram, type Program } from '../support/program.ts';

const recording = path.resolve(import.meta.dirname, '../../doctor/run/cases/route-to-api.ndjson');
let program: Program;

beforeAll(() => {
  program = buildProgram();
});
afterAll(() => program?.[Symbol.dispose]());

interface Screen {
  readonly pty: IPty;
  readonly exited: Promise<{ readonly exitCode: number; readonly signal?: number }>;
  /** Everything that was ever written. */
  readonly raw: () => string;
  readonly alternate: () => boolean;
  /** The lines that can be seen, and with `all` the scrollback before them. */
  text(all?: boolean): string;
  resize(columns: number, rows: number): void;
  /** Resolves when the visible text matches. */
  until(pattern: RegExp): Promise<void>;
}

function open(
  columns: number,
  rows: number,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Screen {
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 1_000 });
  let raw = '';
  const waiting: { pattern: RegExp; resolve: () => void }[] = [];
  const pty = spawn(process.execPath, [path.join(program.dist, 'main.js'), 'doctor', ...argv], {
    cols: columns,
    rows,
    name: env.TERM ?? 'xterm-256color',
    // CI is set on many a bastion host; a terminal is a terminal all the same.
    env: {
      PATH: process.env.PATH ?? '',
      HOME: program.home,
      LANG: 'C.UTF-8',
      CI: 'true',
      TERM: 'xterm-256color',
      ...env,
    },
  });
  const text = (all = false): string => {
    const buffer = terminal.buffer.active;
    const first = all ? 0 : buffer.viewportY;
    const lines = Array.from(
      { length: buffer.length - first },
      (_, index) => buffer.getLine(first + index)?.translateToString(true) ?? '',
    );
    return lines.join('\n').trimEnd();
  };
  const check = (): void => {
    for (const item of [...waiting]) {
      if (!item.pattern.test(text())) continue;
      waiting.splice(waiting.indexOf(item), 1);
      item.resolve();
    }
  };
  pty.onData((data) => {
    raw += data;
    terminal.write(data, check);
  });
  const exited = new Promise<{ exitCode: number; signal?: number }>((resolve) => pty.onExit(resolve));
  return {
    pty,
    // The last bytes may still be on their way through the emulator.
    exited: exited.then((end) => new Promise((resolve) => terminal.write('', () => resolve(end)))),
    raw: () => raw,
    alternate: () => terminal.buffer.active.type === 'alternate',
    text,
    resize(newColumns, newRows) {
      terminal.resize(newColumns, newRows);
      pty.resize(newColumns, newRows);
    },
    until: (pattern) =>
      new Promise((resolve) => {
        waiting.push({ pattern, resolve });
        check();
      }),
  };
}

function expectRestored(screen: Screen): void {
  const raw = screen.raw();
  expect(screen.alternate()).toBe(false);
  expect(raw.lastIndexOf('\x1b[?1049l')).toBeGreaterThan(raw.lastIndexOf('\x1b[?1049h'));
  expect(raw.lastIndexOf('\x1b[?25h')).toBeGreaterThan(raw.lastIndexOf('\x1b[?25l'));
}

const replay = ['--replay', recording];

test.each([
  [80, 24],
  [140, 40],
])(
  '%i×%i: broken hop and cause on the first screen; q gives the terminal back with the short report',
  async (columns, rows) => {
    const screen = open(columns, rows, replay);
    await screen.until(/NGX-01/);
    expect(screen.alternate()).toBe(true);
    expect(screen.text()).toMatch(/▐✗ route/);
    expect(screen.text().replaceAll(/[│\s]+/g, ' ')).toMatch(
      /nginx sends \/ws\/agent to the HTTP port|NGX-01 · proven/,
    );
    screen.pty.write('q');
    expect((await screen.exited).exitCode).toBe(3);
    expectRestored(screen);
    expect(screen.text(true)).toMatch(/NGX-01 \(proven\)/);
    expect(screen.text(true)).not.toContain('┌');
  },
);

test('evidence, checks and keys are a key away, and Esc leads back', async () => {
  const screen = open(100, 30, replay);
  await screen.until(/cause 1 of 1/);
  screen.pty.write('e');
  await screen.until(/evidence for cause 1 of 1/);
  screen.pty.write('2');
  await screen.until(/FAIL {4}/);
  screen.pty.write('?');
  await screen.until(/leave; the short report stays/);
  screen.pty.write('\x1b');
  await screen.until(/cause 1 of 1/);
  screen.pty.write('q');
  await screen.exited;
  expectRestored(screen);
});

test('a smaller window keeps the broken hop and the cause in sight', async () => {
  const screen = open(140, 40, replay);
  await screen.until(/cause 1 of 1/);
  screen.resize(80, 24);
  // One pane is what so few rows get.
  await screen.until(/│ cause 1 of 1, lines 1 to \d+ of \d+ +│\n/);
  expect(screen.text()).toMatch(/▐✗ route/);
  screen.pty.write('q');
  await screen.exited;
  expectRestored(screen);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s restores the terminal and says so by its exit code', async (signal, code) => {
  const screen = open(80, 24, replay);
  await screen.until(/NGX-01/);
  process.kill(screen.pty.pid, signal);
  expect((await screen.exited).exitCode).toBe(code);
  expectRestored(screen);
});

test('SIGTERM while it still looks ends with 143, not with what Ctrl-C ends with', async () => {
  // A host that takes connections and never says a word.
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const inventory = path.join(program.home, 'silent.toml');
  writeFileSync(
    inventory,
    `project = { name = "silent", server_name = "agents.example.test" }
backend = { host = "silent" }
gateways = [{ host = "silent" }]
[hosts.silent]
address = "127.0.0.1"
port = ${port}
user = "nobody"
`,
  );
  const screen = open(80, 24, ['-i', inventory]);
  await screen.until(/silent/);
  process.kill(screen.pty.pid, 'SIGTERM');
  expect((await screen.exited).exitCode).toBe(143);
  expectRestored(screen);
  silent.close();
});

test('NO_COLOR: no colour anywhere; a locale without UTF-8: letters only', async () => {
  const screen = open(80, 24, replay, { NO_COLOR: '1', LANG: 'C' });
  await screen.until(/NGX-01/);
  expect(screen.text()).toMatch(/\[x route/);
  screen.pty.write('q');
  await screen.exited;
  expect(screen.raw()).not.toMatch(/\x1b\[(3[0-7]|9[0-7]|38|48)[;m]/);
});

test.each([
  ['a terminal that is too narrow', 50, 24, {}],
  ['a dumb terminal', 80, 24, { TERM: 'dumb' }],
  ['a screen reader', 80, 24, { INK_SCREEN_READER: 'true' }],
] as const)('%s gets lines', async (_, columns, rows, env) => {
  const screen = open(columns, rows, replay, env);
  expect((await screen.exited).exitCode).toBe(3);
  expect(screen.raw()).not.toContain('\x1b[?1049h');
  expect(screen.text(true).replaceAll('\n', '')).toContain('NGX-01');
});

test('what is not a terminal gets lines, and no control sequence', async () => {
  const outcome = await program.run(['doctor', ...replay, '--output', 'tui']);
  expect(outcome.code).toBe(3);
  expect(outcome.stdout.toString()).toContain('NGX-01');
  expect(outcome.stdout.toString()).not.toContain('\x1b');
  expect(readFileSync(recording, 'utf8')).not.toBe('');
});
