#!/usr/bin/env node
// The entry: answers --version and the overview by itself, hands everything else to the one command that was chosen.
import { enableCompileCache } from 'node:module';
import { renderOverview, versionLine } from './overview.ts';

const argv = process.argv.slice(2);
const [first = '--help'] = argv;
if (first === '--version' || first === '-V') process.stdout.write(`${versionLine()}\n`);
else if (first === '--help' || first === '-h' || (first === 'help' && argv.length === 1)) {
  process.stdout.write(renderOverview());
} else {
  // Under the user's own cache directory: compiled code must not come from a place that others can write to.
  const cache = process.env.XDG_CACHE_HOME ?? (process.env.HOME && `${process.env.HOME}/.cache`);
  if (cache) enableCompileCache(`${cache}/viworks`);
  const { runCli } = await import('./dispatch.ts');
  process.exitCode = await runCli(argv, process.env);
  // A connection kept alive or a timer that nobody needs must not keep a finished command waiting.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))));
  process.exit();
}
