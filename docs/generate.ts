// `npm run docs`: writes the generated pages; with `--check` compares them instead and fails when one is stale.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { CONFIG_KINDS } from '../cli/config/specs.ts';
import { checksPage } from './pages/checks.ts';
import { cliPage } from './pages/cli.ts';
import { configPage } from './pages/config.ts';
import { errorsPage } from './pages/errors.ts';
import { logsPage } from './pages/logs.ts';
import { roomsPage } from './pages/rooms.ts';
import { wirePage } from './pages/wire.ts';

const root = new URL('..', import.meta.url).pathname;
const pages = [
  await errorsPage(root),
  wirePage(root),
  configPage(await Promise.all(CONFIG_KINDS.map((kind) => kind.load()))),
  await cliPage(),
  checksPage(),
  logsPage(),
  roomsPage(root),
];
const stale = pages.filter(
  (page) => !existsSync(root + page.path) || readFileSync(root + page.path, 'utf8') !== page.text,
);
if (process.argv.includes('--check')) {
  for (const page of stale) process.stdout.write(`${page.path} is not what its sources say: run \`npm run docs\`\n`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const page of stale) writeFileSync(root + page.path, page.text);
  process.stdout.write(
    stale.length === 0 ? 'docs are fresh\n' : `wrote ${stale.map((page) => page.path).join(', ')}\n`,
  );
}
