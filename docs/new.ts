// `npm run new -- probe NAME` and `npm run new -- cause CODE`: lays out the files of a new part, complete enough to pass every check, and
// says which they are. What is written into them is then replaced by hand.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { newCause, newProbe } from './new-parts.ts';

const [kind = '', name = ''] = process.argv.slice(2);
const root = join(import.meta.dirname, '..');
const makers = { probe: newProbe, cause: newCause };
const make = Object.hasOwn(makers, kind) ? makers[kind as keyof typeof makers] : null;
if (make === null || name === '') {
  process.stderr.write('usage: npm run new -- probe NAME | cause CODE\n');
  process.exit(64);
}
try {
  const laid = make(name, (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : null));
  for (const { path, text } of laid) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    process.stdout.write(`${path}\n`);
  }
  const sources = laid.map(({ path }) => join(root, path)).filter((path) => path.endsWith('.ts'));
  execFileSync(join(root, 'node_modules/.bin/biome'), ['check', '--write', ...sources], { cwd: root, stdio: 'ignore' });
  process.stdout.write('then `npm run docs`, and replace what is in them\n');
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
