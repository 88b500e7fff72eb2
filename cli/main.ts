#!/usr/bin/env node
// The entry: answers --version and the overview by itself, hands everything else to the one command that was chosen.
import { enableCompileCache } from 'node:module';
import { storedHelp } from './help.ts';
import { renderOverview, versionLine } from './overview.ts';

const argv = process.argv.slice(2);
const [first = '--help'] = argv;
const say = (text: string): void => {
  process.stdout.on('error', () => {}); // `viworks --help | head -1` is no error.
  process.stdout.write(text);
};
const help = storedHelp(argv, import.meta.dirname);
if (help !== undefined) say(help);
else if (first === '--version' || first === '-V') say(`${versionLine()}\n`);
else if (first === '--help' || first === '-h' || (first === 'help' && argv.length === 1)) {
  say(renderOverview());
} else {
  // Under the user's own cache directory: compiled code must not come from a place that others can write to.
  const cache = process.env.XDG_CACHE_HOME ?? (process.env.HOME && `${process.env.HOME}/.cache`);
  if (cache) enableCompileCache(`${cache}/viworks`);
  const { runCli } = await import('./dispatch.ts');
  // A connection kept alive or a timer that nobody needs must not keep a finished command waiting.
  process.exit(await runCli(argv, process.env));
}
