// Columns line up, and nothing in a cell can reach the terminal as a command.
import { expect, test } from 'vitest';
import { renderTable } from './table.ts';

test('columns are as wide as their widest cell', () => {
  const rows = [
    ['gw-berlin-1', 'connected', 'x'],
    ['gw2', 'gone', ''],
  ];
  expect(renderTable(['GATEWAY', 'STATE', 'NOTE'], rows)).toBe(
    'GATEWAY      STATE      NOTE\ngw-berlin-1  connected  x\ngw2          gone\n',
  );
});

test('control characters are shown, not sent', () => {
  expect(renderTable(['A'], [['\u001b[31mred\u0007']])).toBe('A\n\\u001b[31mred\\u0007\n');
});
