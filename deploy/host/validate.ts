// Validates a staged release as if it were switched: in a private mount namespace where /opt/viworks, the units and nginx's
// directory look as they will afterwards. The live tree stays untouched.

import { readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { quoteWord } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import { LAYOUT } from '../plan/layout.ts';
import type { Manifest, OuterEntry } from '../plan/manifest.ts';
import { readManifest } from './memory.ts';
import { run, sha256 } from './tools.ts';

const STAGE_MS = 20_000;
const STAND_IN = '/run/viworks-as-if';

/** Runs every check; throws VW_DEPLOY_REFUSED with what the tool said. `asItIs`: files that were edited by hand are no damage. */
export async function validateAsIf(id: string, asItIs = false): Promise<readonly string[]> {
  try {
    const manifest = await readManifest(id);
    if (!asItIs) await verifyFiles(manifest);
    return await validate(manifest);
  } finally {
    // Only the mount point is here: what was mounted on it was private. Never recursively, should that ever be wrong.
    await rmdir(STAND_IN).catch(() => undefined);
  }
}

async function validate(manifest: Manifest): Promise<readonly string[]> {
  if (manifest.gates.backend) await refusePortOwners(manifest);
  const said: string[] = [];
  if (manifest.nginx)
    said.push(
      await asIf(manifest, { check: 'nginx -t', command: '/usr/sbin/nginx -t -q -e stderr', verdict: nginxVerdict }),
    );
  const units = manifest.units.map((unit) => join(LAYOUT.current, 'units', unit.name));
  if (units.length > 0) {
    const verify = `systemd-analyze verify --man=no --recursive-errors=no ${units.join(' ')}`;
    said.push(await asIf(manifest, { check: 'systemd-analyze verify', command: verify, verdict: unitVerdict }));
  }
  for (const unit of manifest.units.filter(({ kind }) => kind === 'service'))
    said.push(await judgeHardening(manifest, unit.name));
  for (const name of programsOf(manifest)) {
    const node = join(LAYOUT.current, 'runtime/node');
    const main = join(LAYOUT.current, 'app/dist/main.js');
    // Without network and without root: the check of a configuration needs neither.
    const user =
      name === 'launcher'
        ? ''
        : `setpriv --reuid=viworks-${name} --regid=viworks-${name} --init-groups --no-new-privs `;
    const command = `cd / && exec nice unshare --net -- ${user}${node} ${main} ${name} --check --config ${LAYOUT.current}/etc/${name}.toml`;
    said.push(await asIf(manifest, { check: `viworks ${name} --check`, command, verdict: (ran) => ran.code === 0 }));
  }
  return said;
}

// What talks to the network is held to 2.0; the launcher cannot be, since a task may need all of the host.
async function judgeHardening(manifest: Manifest, unit: string): Promise<string> {
  const open = unit === 'viworks-launcher.service';
  const argv = [
    'systemd-analyze',
    'security',
    '--offline=true',
    `--threshold=${open ? 100 : 20}`,
    '--no-pager',
  ] as const;
  const ran = await run([...argv, join(LAYOUT.releases, manifest.id, 'units', unit)]);
  const score = /exposure level for \S+: ([\d.]+)/.exec(ran.stdout)?.[1] ?? 'unknown';
  if (ran.code === 0)
    return `${unit} exposure ${score}${open ? ' (it starts tasks as other users, outside of any sandbox)' : ''}`;
  const reason = `  the exposure of ${unit} is ${score}, more than 2.0`;
  throw deployErrors.create('VW_DEPLOY_REFUSED', { check: 'systemd-analyze security', reason });
}

type Verdict = (ran: { readonly code: number; readonly stderr: string }) => boolean;

const nginxVerdict: Verdict = ({ code, stderr }) => code === 0 && !/\[(emerg|crit|alert|error|warn)\]/.test(stderr);
// verify talks about every unit that it loads; a mistake in ours has one of our names or our directory in it.
const unitVerdict: Verdict = ({ code, stderr }) => code === 0 && !/viworks/.test(stderr);

interface AsIfCheck {
  readonly check: string;
  readonly command: string;
  readonly verdict: Verdict;
}

async function asIf(manifest: Manifest, { check, command, verdict }: AsIfCheck): Promise<string> {
  const script = `set -e
mkdir -p ${STAND_IN}
mount -t tmpfs -o size=64m,mode=755 viworks-as-if ${STAND_IN}
mkdir ${STAND_IN}/opt ${STAND_IN}/old
mount --bind ${LAYOUT.root} ${STAND_IN}/old
for part in releases runtime app; do mkdir ${STAND_IN}/opt/$part; mount --bind ${LAYOUT.root}/$part ${STAND_IN}/opt/$part; done
ln -s releases/${manifest.id} ${STAND_IN}/opt/current
mount --rbind ${STAND_IN}/opt ${LAYOUT.root}
${manifest.outer.map(outerLines).join('\n')}
set +e
${command}
`;
  const ran = await run(['unshare', '--mount', '--propagation', 'private', '--', '/bin/sh', '-c', script], {
    ms: STAGE_MS,
  });
  if (verdict(ran)) return check;
  const reason = (ran.stderr || ran.stdout).trim() || `it ended with code ${ran.code} and said nothing`;
  const twice = /conflicting server name "([^"]+)"/.exec(reason)?.[1];
  const look = twice === undefined ? '' : `\n  another file has that name, too: grep -rnF '${twice}' /etc/nginx`;
  throw deployErrors.create('VW_DEPLOY_REFUSED', { check, reason: reason.replace(/^/gm, '  ') + look });
}

// Directories are covered by a copy once, then each entry is put into the copy.
function outerLines(entry: OuterEntry): string {
  // No check looks at what nothing depends on, and its directory may be large.
  if (entry.kind === 'link' && entry.yields === true) return '';
  const directory = entry.path.replace(/\/[^/]+$/, '');
  const cover = `${STAND_IN}/cover${directory.replaceAll('/', '-')}`;
  const put =
    entry.kind === 'link'
      ? `ln -sfn '${entry.target}' '${entry.path}'`
      : `rm -rf '${entry.path}'; printf %s ${quoteWord(entry.content)} > '${entry.path}'`;
  return `if [ -d '${directory}' ] && [ ! -d '${cover}' ]; then cp -a '${directory}' '${cover}'; mount --bind '${cover}' '${directory}'; fi
if [ -d '${directory}' ]; then ${put}; fi`;
}

function programsOf(manifest: Manifest): string[] {
  return [...(manifest.gates.backend ? ['backend'] : []), ...(manifest.gates.gateway ? ['gateway', 'launcher'] : [])];
}

async function verifyFiles(manifest: Manifest): Promise<void> {
  for (const file of manifest.files) {
    const content = await readFile(join(LAYOUT.releases, manifest.id, file.path)).catch(() => undefined);
    if (content !== undefined && sha256(content) === file.sha256) continue;
    const what = `${file.path} of ${manifest.id} is damaged on the host`;
    throw deployErrors.create('VW_DEPLOY_ARTEFACT', { what, remedy: 'run the deploy again' });
  }
}

// nginx -t is content with a port that somebody else holds; the reload would then fail silently.
async function refusePortOwners(manifest: Manifest): Promise<void> {
  const backend = manifest.gates.backend;
  if (!backend) return;
  const wanted = [
    { port: Number(backend.api.split(':').at(-1)), ours: /viworks-backend/ },
    { port: Number(backend.agents.split(':').at(-1)), ours: /viworks-backend/ },
    ...(manifest.nginx ? [{ port: backend.tls.port, ours: /nginx/ }] : []),
  ];
  const { stdout, code } = await run(['ss', '-Hltnp']);
  if (code !== 0) return;
  for (const { port, ours } of wanted) {
    for (const line of stdout.split('\n')) {
      const local = line.trim().split(/\s+/)[3] ?? '';
      if (!local.endsWith(`:${port}`) || (await belongsTo(line, ours))) continue;
      const owner = /users:\(\("([^"]+)",pid=(\d+)/.exec(line);
      const reason = `  port ${port} is taken by ${owner?.[1] ?? 'somebody'} (process ${owner?.[2] ?? 'unknown'}, ${local})`;
      throw deployErrors.create('VW_DEPLOY_REFUSED', { check: 'the look at the ports', reason });
    }
  }
}

// A listener of ours is held by systemd for a socket unit, or by a process in the cgroup of our unit.
async function belongsTo(line: string, ours: RegExp): Promise<boolean> {
  for (const [, pid] of line.matchAll(/pid=(\d+)/g)) {
    if (pid === '1') return true;
    if (ours.test(await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => ''))) return true;
  }
  return false;
}
