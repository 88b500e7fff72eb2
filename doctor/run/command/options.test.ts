// What was typed → options: one way to name an installation, and an output that this terminal can show.
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { type Invocation, systemClock } from '../../../agents/runtime/index.ts';
import { readOptions } from './options.ts';

interface Around {
  readonly interactive?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Invocation['env'];
}

function invocation(options: Invocation['options'], around: Around = {}): Invocation {
  const { interactive = true, columns = 100, rows = 30, env = {} } = around;
  const stream = new PassThrough();
  return {
    args: [],
    rest: [],
    options,
    terminal: {
      stdin: stream,
      stdout: stream,
      stderr: stream,
      interactive,
      colour: { stdout: false, stderr: false },
      columns,
      rows,
    },
    signal: new AbortController().signal,
    leaving: new AbortController().signal,
    clock: systemClock,
    env,
  };
}

test.each([
  ['a terminal', {}, {}, 'tui'],
  ['a pipe', {}, { interactive: false }, 'plain'],
  ['a pipe that asks for the screen', { output: 'tui' }, { interactive: false }, 'plain'],
  ['a narrow terminal', {}, { columns: 59 }, 'plain'],
  ['a low terminal', {}, { rows: 14 }, 'plain'],
  ['a pty that does not know its size', {}, { columns: 0, rows: 0 }, 'tui'],
  ['a screen reader', { screenReader: true }, {}, 'plain'],
  ['a screen reader that ink knows', {}, { env: { INK_SCREEN_READER: 'true' } }, 'plain'],
  ['json', { output: 'json' }, {}, 'json'],
  ['--short', { short: true }, {}, 'short'],
  ['--plain', { plain: true }, {}, 'plain'],
  ['a file', { outputFile: 'report.txt' }, {}, 'plain'],
] as const)('%s', (_, options, around, output) => {
  expect(readOptions(invocation(options, around)).output).toBe(output);
});

test.each([
  ['two ways at once', { inventory: 'a.toml', local: true }],
  ['a backend without its URL', { backend: 'be1' }],
  ['a URL without its backend', { url: 'wss://a.test/ws/agent' }],
  ['a URL of another kind', { backend: 'be1', url: 'https://a.test/' }],
  ['no URL at all', { backend: 'be1', url: 'nonsense' }],
  ['an output that does not exist', { output: 'xml' }],
])('refused: %s', (_, options) => {
  expect(() => readOptions(invocation(options))).toThrow(
    expect.objectContaining({ code: 'VW_DOCTOR_USAGE', exitCode: 64 }),
  );
});

test('gateways add up, and the environment’s token, an operator’s, is none of the doctor’s', () => {
  const options = readOptions(
    invocation(
      { backend: 'be1', gateway: ['gw1', 'op@gw2:2222'], url: 'wss://a.test/ws/agent', record: false },
      { env: { VIWORKS_TOKEN_FILE: '/t' } },
    ),
  );
  expect(options).toMatchObject({ backend: 'be1', gateways: ['gw1', 'op@gw2:2222'], record: false });
  expect(options.tokenFile).toBeUndefined();
});
