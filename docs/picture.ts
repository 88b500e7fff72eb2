// Draws what a terminal program really shows: runs it on a PTY, reads the cells, writes them as SVG for the README.
// Usage: node docs/picture.ts OUT.svg COLUMNS ROWS KEYS -- COMMAND...   (KEYS are typed after the screen settled; `-` for none)
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';

const CELL_WIDTH = 8.4;
const LINE_HEIGHT = 18;
const MARGIN = 14;
const FOREGROUND = '#d8dee9';
const BACKGROUND = '#1b1f27';
// The 16 colours of a common dark theme; programs of ours use no others.
const PALETTE = [
  '#2e3440',
  '#e5534b',
  '#57ab5a',
  '#c69026',
  '#539bf5',
  '#b083f0',
  '#39c5cf',
  '#d8dee9',
  '#768390',
  '#ff6a63',
  '#6bc46d',
  '#daaa3f',
  '#6cb6ff',
  '#dcbdfb',
  '#56d4dd',
  '#ffffff',
];

type Terminal = InstanceType<typeof headless.Terminal>;
type Cell = NonNullable<ReturnType<NonNullable<ReturnType<Terminal['buffer']['active']['getLine']>>['getCell']>>;

interface Run {
  text: string;
  readonly column: number;
  readonly style: string;
  readonly background: string | undefined;
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function styleOf(cell: Cell): { style: string; background: string | undefined } {
  const foreground = cell.isFgPalette() ? (PALETTE[cell.getFgColor()] ?? FOREGROUND) : FOREGROUND;
  const behind = cell.isBgPalette() ? PALETTE[cell.getBgColor()] : undefined;
  const inverse = cell.isInverse() !== 0;
  const fill = inverse ? (behind ?? BACKGROUND) : foreground;
  const weight = cell.isBold() ? ' font-weight="bold"' : '';
  const opacity = cell.isDim() ? ' opacity="0.65"' : '';
  return { style: `fill="${fill}"${weight}${opacity}`, background: inverse ? foreground : behind };
}

function runsOf(terminal: Terminal, row: number): Run[] {
  const line = terminal.buffer.active.getLine(terminal.buffer.active.viewportY + row);
  const runs: Run[] = [];
  for (let column = 0; line && column < terminal.cols; column++) {
    const cell = line.getCell(column);
    if (!cell || cell.getWidth() === 0) continue;
    const { style, background } = styleOf(cell);
    const last = runs.at(-1);
    if (last && last.style === style && last.background === background) last.text += cell.getChars() || ' ';
    else runs.push({ text: cell.getChars() || ' ', column, style, background });
  }
  const last = runs.at(-1);
  if (last && last.background === undefined) last.text = last.text.trimEnd();
  return runs.filter((run) => run.background !== undefined || run.text.trim() !== '');
}

function svg(terminal: Terminal): string {
  const width = terminal.cols * CELL_WIDTH + 2 * MARGIN;
  const height = terminal.rows * LINE_HEIGHT + 2 * MARGIN;
  const parts: string[] = [];
  for (let row = 0; row < terminal.rows; row++) {
    const y = MARGIN + row * LINE_HEIGHT;
    for (const run of runsOf(terminal, row)) {
      const x = (MARGIN + run.column * CELL_WIDTH).toFixed(1);
      const span = (run.text.length * CELL_WIDTH).toFixed(1);
      if (run.background)
        parts.push(`<rect x="${x}" y="${y}" width="${span}" height="${LINE_HEIGHT}" fill="${run.background}"/>`);
      if (run.text.trim() === '') continue;
      parts.push(
        `<text x="${x}" y="${y + 13}" textLength="${span}" xml:space="preserve" ${run.style}>${escapeXml(run.text)}</text>`,
      );
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<rect width="100%" height="100%" rx="8" fill="${BACKGROUND}"/>`,
    `<g font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">`,
    ...parts,
    '</g></svg>',
    '',
  ].join('\n');
}

const [out = '', columns = '120', rows = '32', keys = '-', dashes, program = '', ...args] = process.argv.slice(2);
if (dashes !== '--' || program === '')
  throw new Error('usage: node docs/picture.ts OUT.svg COLUMNS ROWS KEYS -- COMMAND...');
const terminal = new headless.Terminal({ cols: Number(columns), rows: Number(rows), allowProposedApi: true });
const environment = { ...process.env, TERM: 'xterm-256color', LANG: 'C.UTF-8' } as Record<string, string>;
delete environment.NO_COLOR;
const child = spawn(program, args, { cols: terminal.cols, rows: terminal.rows, env: environment });
let ended = false;
let quietSince = performance.now();
child.onData((data) => {
  quietSince = performance.now();
  terminal.write(data);
});
child.onExit(() => {
  ended = true;
});
/** Waits until nothing was drawn for a while: the picture is of a screen at rest. */
async function settle(quietMs: number): Promise<void> {
  while (!ended && performance.now() - quietSince < quietMs) await sleep(50);
  await new Promise<void>((resolve) => terminal.write('', resolve));
}
await settle(2500);
if (keys !== '-') {
  child.write(keys);
  await settle(800);
}
writeFileSync(out, svg(terminal));
if (!ended) child.kill('SIGTERM');
