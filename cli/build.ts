// Bundles the command line and every room behind it into dist/: ESM with splitting, so that a command loads its own room only.
// Reproducible: the same sources give the same bytes. `node cli/build.ts [--outdir DIR] [--quiet]`
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { ASSETS } from '../agents/runtime/index.ts';
import { bundlePlugins } from './build-plugins.ts';
import { HELP_INDEX } from './help.ts';
import { thirdPartyNotices } from './notices.ts';

const ROOT = resolve(import.meta.dirname, '..');
// CJS dependencies call require() and read __dirname; ESM output has neither unless they are made.
const REQUIRE =
  "const require=globalThis.process.getBuiltinModule('node:module').createRequire(import.meta.url),__dirname=import.meta.dirname,__filename=import.meta.filename;";

const { values } = parseArgs({
  options: { outdir: { type: 'string', default: join(ROOT, 'dist') }, quiet: { type: 'boolean', default: false } },
});
const outdir = resolve(values.outdir);
const started = performance.now();
const startedAt = new Date();
const version = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version;
const revision = gitRevision();

// Built aside and swapped in by rename: a command that starts meanwhile sees the old build or the new one, never a half.
// In a checkout that place is one that git does not look at: a second build at the same time must not call the tree changed.
const aside = dirname(outdir) === ROOT ? join(ROOT, '.cache') : dirname(outdir);
const staging = join(aside, `${basename(outdir)}.new-${process.pid}`);
const retired = join(aside, `${basename(outdir)}.old-${process.pid}`);
mkdirSync(aside, { recursive: true });
rmSync(staging, { recursive: true, force: true });
try {
  const agentFiles = await bundle();
  await bundleHostHelper();
  for (const [name, source] of Object.entries(ASSETS)) {
    cpSync(join(ROOT, source), join(staging, name), { recursive: true });
  }
  // Makes dist/ complete in itself: it is shipped to hosts without the rest of the package.
  writeFileSync(
    join(staging, 'package.json'),
    `${JSON.stringify({ type: 'module', name: 'viworks', version, revision, committedAt: commitTime(), agentFiles })}\n`,
  );
  const main = join(staging, 'main.js');
  // Every command is loaded once here, so a build that cannot do it does not come about.
  const env = { PATH: process.env.PATH ?? '' };
  writeFileSync(
    join(staging, HELP_INDEX),
    execFileSync(process.execPath, [main, 'help-index'], { env, maxBuffer: 2 ** 24 }),
  );
  // An edit made while this build ran is newer than the build.
  utimesSync(main, startedAt, startedAt);
  swapIn();
} finally {
  rmSync(staging, { recursive: true, force: true });
  rmSync(retired, { recursive: true, force: true });
}
if (!values.quiet) {
  process.stdout.write(
    `built viworks ${version} (${revision}) in ${((performance.now() - started) / 1000).toFixed(1)} s\n`,
  );
}

// Gives the files that managed hosts need: what the agents reach, without the rooms of an operator's machine.
async function bundle(): Promise<string[]> {
  const { metafile } = await build({
    metafile: true,
    entryPoints: { main: join(ROOT, 'cli/main.ts') },
    outdir: staging,
    absWorkingDir: ROOT,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    chunkNames: '[name]-[hash]',
    // Identifiers stay: a stack in a bug report must be readable.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    jsx: 'automatic',
    banner: { js: REQUIRE },
    define: {
      __VIWORKS_VERSION__: JSON.stringify(version),
      __VIWORKS_REVISION__: JSON.stringify(revision),
      __VIWORKS_BUNDLED__: 'true',
      'process.env.NODE_ENV': '"production"',
    },
    plugins: bundlePlugins(),
    logLevel: 'warning',
    logOverride: { 'ignored-bare-import': 'silent' },
  });
  writeFileSync(join(staging, 'THIRD-PARTY-NOTICES.txt'), thirdPartyNotices(Object.keys(metafile.inputs), ROOT));
  const reached = new Set<string>();
  const visit = (output: string): void => {
    if (reached.has(output)) return;
    reached.add(output);
    for (const { path, kind } of metafile.outputs[output]?.imports ?? []) {
      const entry = metafile.outputs[path]?.entryPoint ?? '';
      const wanted = kind !== 'dynamic-import' || /^(agents|cli|deploy\/inventory|node_modules)\/|^$/.test(entry);
      if (wanted && path in metafile.outputs) visit(path);
    }
  };
  for (const [output, { entryPoint }] of Object.entries(metafile.outputs))
    if (entryPoint === 'cli/main.ts') visit(output);
  return [...reached].map((output) => basename(output)).sort();
}

// The deployer's helper for managed hosts: one file that needs nothing beside it, whose first line the deployer writes.
async function bundleHostHelper(): Promise<void> {
  await build({
    entryPoints: [join(ROOT, 'deploy/host/main.ts')],
    outfile: join(staging, 'host.cjs'),
    absWorkingDir: ROOT,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    define: { __VIWORKS_BUNDLED__: 'true', 'import.meta.dirname': '""' },
    plugins: bundlePlugins().slice(0, 1),
    logLevel: 'warning',
  });
}

// Two builds at once may both find the old one there: the later one then retires the earlier one's.
function swapIn(): void {
  for (let attempt = 1; ; attempt++) {
    rmSync(retired, { recursive: true, force: true });
    try {
      if (existsSync(outdir)) renameSync(outdir, retired);
      renameSync(staging, outdir);
      return;
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

function gitRevision(): string {
  try {
    const commit = git(['rev-parse', '--short=7', 'HEAD']);
    return git(['status', '--porcelain']) === '' ? commit : `${commit}+`;
  } catch {
    return 'unknown'; // A tarball without its history, or no git on the machine.
  }
}

// Names releases: the time of the commit, not of the build, so that the same commit gives the same bytes.
function commitTime(): string {
  try {
    return git(['show', '-s', '--format=%cI', 'HEAD']);
  } catch {
    return '1970-01-01T00:00:00Z';
  }
}

function git(args: readonly string[]): string {
  return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
