// Stored help is what the command itself would say, and is used only where nothing else can be meant.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { COMMANDS } from './commands.ts';
import { HELP_INDEX, storedHelp } from './help.ts';
import { renderHelpIndex } from './help-index.ts';

const directory = mkdtempSync(join(tmpdir(), 'viworks-help-'));
writeFileSync(join(directory, HELP_INDEX), JSON.stringify({ run: 'RUN', 'tasks logs': 'LOGS' }));
afterAll(() => rmSync(directory, { recursive: true }));

test.each([
  [['run', '--help'], 'RUN'],
  [['run', '-h'], 'RUN'],
  [['help', 'run'], 'RUN'],
  [['tasks', 'logs', '--help'], 'LOGS'],
  [['tasks', 'oops', '--help'], undefined],
  [['run', 'gw1', '--help'], undefined],
  [['run', '--json', '--help'], undefined],
  [['run', '--', '--help'], undefined],
  [['run'], undefined],
  [['__proto__', '--help'], undefined],
  [['--help'], undefined],
  [['help'], undefined],
])('%j → %s', (argv, expected) => {
  expect(storedHelp(argv, directory)).toBe(expected);
});

test('without an index there is none', () => {
  expect(storedHelp(['run', '--help'], '/nonexistent')).toBeUndefined();
});

test('every command and subcommand is in the index', async () => {
  const index = await renderHelpIndex();
  for (const { name } of COMMANDS) expect(index[name]).toMatch(new RegExp(`^Usage: viworks ${name} `));
  expect(index['tasks logs']).toMatch(/^Usage: viworks tasks logs \[options\] <task>/);
});
