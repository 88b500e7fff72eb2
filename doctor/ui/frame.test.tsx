// What can be read on the first screen, at every width; frames never exceed the terminal.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderToString } from 'ink';
import { expect, test } from 'vitest';
import type { Report, RunEvent } from '../engine/index.ts';
import { itemsOf } from './cause-card.ts';
import { Frame, type ScreenState, startState } from './frame.tsx';
import { emptyModel, reduceModel, type ScreenModel } from './model.ts';
import { glyphsFor } from './text.ts';

const reportOf = (name: string): Report =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'cases', `${name}.json`), 'utf8')) as Report;

const reports = {
  route: reportOf('route-to-api'),
  two: reportOf('two-causes'),
  healthy: reportOf('healthy'),
  open: reportOf('no-cause'),
};

function modelOf(report: Report | null): ScreenModel {
  const hosts = [
    { id: 'be', name: 'be1', state: 'ready' as const, detail: 'ssh ok 40 ms' },
    { id: 'gw:gw-lab', name: 'gw1', state: 'unreachable' as const, detail: 'no route to the host' },
  ];
  return { ...emptyModel, name: 'acme', startedAtMs: 1_000, hosts, report };
}

interface Shown {
  readonly columns: number;
  readonly rows: number;
  readonly state?: Partial<ScreenState>;
  readonly locale?: string;
}

function show(report: Report | null, { columns, rows, state = {}, locale = 'C.UTF-8' }: Shown): string {
  const look = { colour: false, glyphs: glyphsFor({ LANG: locale }) };
  const items = report ? itemsOf(report) : [];
  const frame = (
    <Frame
      model={modelOf(report)}
      state={{ ...startState, ...state }}
      items={items}
      columns={columns}
      rows={rows}
      nowMs={2_500}
      look={look}
    />
  );
  // Styles are the terminal's business; what is read are the letters.
  return renderToString(frame, { columns }).replaceAll(/\x1b\[[0-9;]*m/g, '');
}

const sizes = [
  [60, 15],
  [60, 24],
  [80, 24],
  [120, 30],
  [140, 40],
] as const;

test.each(sizes)('%i×%i: the broken hop and the cause are on the first screen', (columns, rows) => {
  const screen = show(reports.route, { columns, rows });
  expect(screen).toMatch(/▐✗ route[^▌]*▌/);
  expect(screen).toContain('NGX-01');
  expect(screen.replaceAll(/[│\s]+/g, ' ')).toContain('proven');
});

test.each(sizes)('%i×%i: every cause is named on the first screen', (columns, rows) => {
  const screen = show(reports.two, { columns, rows });
  expect(screen).toContain('BE-01');
  expect(screen).toContain('SYS-01');
  expect(screen).toMatch(/▐✗ ws port/);
  expect(screen).toMatch(/▐✗ gateway/);
});

const views = ['causes', 'evidence', 'checks', 'help'] as const;
const frames = sizes.flatMap(([columns, rows]) =>
  Object.entries(reports).flatMap(([name, report]) => views.map((view) => ({ columns, rows, name, report, view }))),
);

test.each(frames)('$columns×$rows $name $view: fits, with the last row free', ({ columns, rows, report, view }) => {
  const lines = show(report, { columns, rows, state: { view } }).split('\n');
  expect(lines.length).toBeLessThanOrEqual(rows - 1);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
});

test('wide: card and evidence side by side; narrower: one above the other', () => {
  const titles = (columns: number): number[] => {
    const lines = show(reports.route, { columns, rows: 40 }).split('\n');
    return [
      lines.findIndex((line) => line.includes('cause 1 of 1')),
      lines.findIndex((line) => line.includes(' evidence')),
    ];
  };
  const [cardWide, evidenceWide] = titles(140);
  expect(cardWide).toBe(evidenceWide);
  const [card = 0, evidence = 0] = titles(100);
  expect(evidence).toBeGreaterThan(card);
});

test('the evidence view has the commands that show it again, and who was ruled out', () => {
  const screen = show(reports.route, { columns: 140, rows: 60, state: { view: 'evidence' } });
  expect(screen).toMatch(/\$ ssh root@/);
  expect(screen).toMatch(/not {2}\S/);
});

test('healthy says so, and what failed comes first among the checks', () => {
  expect(show(reports.healthy, { columns: 80, rows: 24 })).toContain('HEALTHY');
  const checks = show(reports.two, { columns: 140, rows: 40, state: { view: 'checks' } }).split('\n');
  const first = checks.findIndex((line) => line.includes('FAIL '));
  const pass = checks.findIndex((line) => line.includes('ok  '));
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThan(pass);
});

test('80 by 24 shows the fix down to the line that changes, and says how much is below', () => {
  const screen = show(reports.route, { columns: 80, rows: 24 });
  expect(screen).toContain('fix  add a location');
  expect(screen).toContain('location /ws/ {');
  expect(screen).toMatch(/cause 1 of 1, lines 1 to \d+ of \d+/);
});

test('without a provable cause the screen says where it breaks', () => {
  const screen = show(reports.open, { columns: 80, rows: 24 });
  expect(screen).toContain('UNEXPLAINED');
  expect(screen).toMatch(/breaks at "\w+/);
});

test('a locale without UTF-8 gets letters only', () => {
  const screen = show(reports.two, { columns: 80, rows: 24, locale: 'C' });
  expect(screen).toMatch(/^[\x20-\x7e\n]*$/);
  expect(screen).toContain('[x ws port');
});

test('while it looks, hosts and what takes long are named', () => {
  const start: RunEvent = {
    type: 'probe.start',
    probe: 'ws.upgrade.public',
    vantage: 'be',
    title: 'upgrade through nginx from be1',
    atMs: 1_000,
  };
  const model = reduceModel(modelOf(null), start);
  const look = { colour: false, glyphs: glyphsFor({ LANG: 'C.UTF-8' }) };
  const frame = <Frame model={model} state={startState} items={[]} columns={80} rows={24} nowMs={4_000} look={look} />;
  const screen = renderToString(frame, { columns: 80 });
  expect(screen).toContain('waiting for upgrade through nginx from be1, 3 s');
  expect(screen).toContain('not seen');
});
