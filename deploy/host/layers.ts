// The immutable parts on a host: runtimes and app layers by digest, releases by id. Nothing unverified gets a final name.

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { exists, syncDirectory } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import { LAYOUT } from '../plan/layout.ts';
import {
  isDigest,
  isReleaseId,
  isSafePath,
  type LayerFile,
  type Manifest,
  type ReleaseParcel,
} from '../plan/manifest.ts';
import { ensureDirectory, run, sha256 } from './tools.ts';

/** The digest of a layer: of the sorted list of its files, their modes and digests. */
export function layerDigest(files: readonly Pick<LayerFile, 'path' | 'mode' | 'sha256'>[]): string {
  const lines = files.map((file) => `${file.path}\0${file.mode.toString(8)}\0${file.sha256}\n`).sort();
  return sha256(lines.join(''));
}

/** Makes the directories that everything else is put into. */
export async function prepareDirectories(): Promise<void> {
  for (const directory of [LAYOUT.root, LAYOUT.releases, LAYOUT.runtimes, LAYOUT.apps, LAYOUT.settings]) {
    await ensureDirectory(directory, 0o755);
  }
  await ensureDirectory(LAYOUT.incoming, 0o700);
  await ensureDirectory(LAYOUT.credentials, 0o700);
  await ensureDirectory(LAYOUT.deployState, 0o755);
}

/** Receives a runtime (one gzipped executable), checks its digest, and puts it under it. */
export async function putRuntime(digest: string, packed: AsyncIterable<Buffer>): Promise<void> {
  if (!isDigest(digest)) throw refuse(`${digest} is not a digest`);
  await prepareDirectories();
  const part = join(LAYOUT.incoming, `${digest}.part`);
  const hash = createHash('sha256');
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(Readable.from(packed), createGunzip(), count, createWriteStream(part, { mode: 0o755, flush: true }));
    const actual = hash.digest('hex');
    if (actual !== digest) throw refuse(`the runtime arrived as ${actual}, not as ${digest}`);
    await chmod(part, 0o755);
    const started = await run([part, '--version'], { ms: 10_000 });
    if (started.code !== 0)
      throw refuse(`the runtime does not start here: ${(started.stderr || started.stdout).trim()}`);
    await mkdir(join(LAYOUT.runtimes, digest), { recursive: true });
    await rename(part, join(LAYOUT.runtimes, digest, 'node'));
    await syncDirectory(join(LAYOUT.runtimes, digest));
  } finally {
    await rm(part, { force: true });
  }
}

/** Receives an app layer: the gzipped bytes of its files one after the other. */
export async function putApp(
  layer: { readonly digest: string; readonly files: readonly LayerFile[] },
  packed: AsyncIterable<Buffer>,
): Promise<void> {
  if (layerDigest(layer.files) !== layer.digest) throw refuse('the list of files is not the one of this layer');
  await prepareDirectories();
  const staging = join(LAYOUT.apps, `.new-${layer.digest}`);
  await rm(staging, { recursive: true, force: true });
  const bytes = await collect(Readable.from(packed).pipe(createGunzip()));
  let at = 0;
  for (const file of layer.files) {
    const content = bytes.subarray(at, at + file.size);
    at += file.size;
    await putFile(staging, file, content);
  }
  if (at !== bytes.length) throw refuse('the layer has more bytes than its list says');
  await rm(join(LAYOUT.apps, layer.digest), { recursive: true, force: true });
  await rename(staging, join(LAYOUT.apps, layer.digest));
  await writeFile(join(LAYOUT.apps, layer.digest, '.files.json'), JSON.stringify(layer.files), { mode: 0o444 });
  await syncDirectory(LAYOUT.apps);
}

/** Builds a release beside the others, and gives it its name in one rename. */
export async function stageRelease(parcel: ReleaseParcel): Promise<void> {
  const { manifest, contents } = parcel;
  if (!isReleaseId(manifest.id)) throw refuse(`${manifest.id} is not the id of a release`);
  await verifyLayers(manifest);
  const staging = join(LAYOUT.releases, `.new-${manifest.id}`);
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true, mode: 0o755 });
  await chmod(staging, 0o755);
  for (const file of manifest.files) await putFile(staging, file, Buffer.from(contents[file.path] ?? ''));
  await symlink(`../../app/${manifest.app}`, join(staging, 'app'));
  await symlink(`../../runtime/${manifest.runtime}`, join(staging, 'runtime'));
  await writeFile(join(staging, 'manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`, {
    mode: 0o444,
    flush: true,
  });
  const final = join(LAYOUT.releases, manifest.id);
  // Repairing the release that runs: it is gone for the time between two renames, never for longer.
  const old = join(LAYOUT.releases, `.old-${manifest.id}`);
  await rm(old, { recursive: true, force: true });
  await rename(final, old).catch(() => undefined);
  await rename(staging, final);
  await syncDirectory(LAYOUT.releases);
  await rm(old, { recursive: true, force: true });
}

/** Hashes the app layer again and looks whether the runtime is there: what lies on a disk may rot. */
export async function verifyLayers(manifest: Manifest): Promise<void> {
  const directory = join(LAYOUT.apps, manifest.app);
  const listed = await readFile(join(directory, '.files.json'), 'utf8').catch(() => undefined);
  if (listed === undefined) throw refuse(`the app layer ${manifest.app} is not on the host`);
  const files = JSON.parse(listed) as LayerFile[];
  for (const file of files) {
    const content = await readFile(join(directory, file.path)).catch(() => undefined);
    if (content === undefined || sha256(content) !== file.sha256) throw refuse(`${directory}/${file.path} is damaged`);
  }
  if (layerDigest(files) !== manifest.app) throw refuse(`the app layer ${manifest.app} is damaged`);
  if (!(await exists(join(LAYOUT.runtimes, manifest.runtime, 'node'))))
    throw refuse(`the runtime ${manifest.runtime} is not on the host`);
}

async function putFile(
  directory: string,
  file: { readonly path: string; readonly mode: number; readonly sha256: string },
  content: Buffer,
): Promise<void> {
  if (!isSafePath(file.path)) throw refuse(`${JSON.stringify(file.path)} would leave its directory`);
  if ((file.mode & ~0o755) !== 0) throw refuse(`${file.path} wants mode ${file.mode.toString(8)}`);
  if (sha256(content) !== file.sha256) throw refuse(`${file.path} did not arrive as it was sent`);
  const target = join(directory, file.path);
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  await chmod(dirname(target), 0o755);
  await writeFile(target, content, { mode: file.mode, flush: true });
  await chmod(target, file.mode);
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function refuse(what: string): Error {
  return deployErrors.create('VW_DEPLOY_ARTEFACT', {
    what,
    remedy: 'run the deploy again; if it happens again, rebuild the release: npm run build',
  });
}
