// What is shipped: the app layer (this build's dist), the Node runtime of the target's architecture, and the host helper.
// Everything is named by its content; packing is done once and kept in the user's cache.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import { BUILD, describe, exists, LAUNCHER_FILES, replaceFile } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import { layerDigest } from '../host/layers.ts';
import { LAYOUT } from '../plan/layout.ts';
import type { LayerFile } from '../plan/manifest.ts';

/** The app layer, ready to be sent. */
export interface AppLayer {
  readonly digest: string;
  readonly files: readonly LayerFile[];
  readonly bytes: number;
  /** Digests of single files that decide about restarts of their own. */
  digestOf(path: string): string;
  pack(): Promise<Buffer>;
}

/** A runtime layer: its digest now, its packed form when it is needed. */
export interface RuntimeLayer {
  readonly digest: string;
  readonly bytes: number;
  /** Path of the gzipped executable, made at the first use. */
  pack(signal: AbortSignal): Promise<string>;
}

/** Everything that a deploy ships. */
export interface Artefacts {
  readonly version: string;
  readonly revision: string;
  /** When the revision was committed, ISO 8601: the first half of release ids. */
  readonly committedAt: string;
  readonly app: AppLayer;
  runtime(architecture: string): Promise<RuntimeLayer>;
  /** The helper with its first line: the runtime that starts it. */
  helper(runtimeDigest: string): { readonly content: Buffer; readonly digest: string };
}

type Env = Readonly<Record<string, string | undefined>>;

/** Opens the build that this program runs from, or the one that the inventory names. */
export async function openArtefacts(options: {
  readonly release: string | undefined;
  readonly env: Env;
  readonly signal: AbortSignal;
}): Promise<Artefacts> {
  const dist = options.release ?? (await findDist(options.env));
  const app = await readAppLayer(dist, options.signal);
  const helper = await readFile(join(dist, 'host.cjs'), { signal: options.signal }).catch((error: unknown) => {
    throw broken(`${dist} has no host helper: ${describe(error)}`);
  });
  const runtimes = new Map<string, Promise<RuntimeLayer>>();
  return {
    ...(await readBuild(dist)),
    app,
    runtime(architecture) {
      const known = runtimes.get(architecture) ?? openRuntime(architecture, options.env);
      runtimes.set(architecture, known);
      return known;
    },
    helper(runtimeDigest) {
      const first = Buffer.from(`#!${LAYOUT.runtimes}/${runtimeDigest}/node\n`);
      const content = Buffer.concat([first, helper]);
      return { content, digest: createHash('sha256').update(content).digest('hex') };
    },
  };
}

async function findDist(env: Env): Promise<string> {
  const here = import.meta.dirname;
  const candidates = [env.VIWORKS_DIST, here, join(here, '../../dist')].filter((path) => path !== undefined);
  for (const path of candidates) if (await exists(join(path, 'host.cjs'))) return path;
  throw broken('there is no build to deploy');
}

async function readBuild(dist: string): Promise<Pick<Artefacts, 'version' | 'revision' | 'committedAt'>> {
  const { version, revision, committedAt } = await readPackage(dist);
  return {
    version: version ?? BUILD.version,
    revision: revision ?? BUILD.revision,
    committedAt: committedAt ?? '1970-01-01T00:00:00Z',
  };
}

interface BuildNote {
  readonly version?: string;
  readonly revision?: string;
  readonly committedAt?: string;
  /** Files of the bundle that a managed host needs. */
  readonly agentFiles?: readonly string[];
}

// The build wrote what it is beside the bundle.
async function readPackage(dist: string): Promise<BuildNote> {
  return JSON.parse(await readFile(join(dist, 'package.json'), 'utf8').catch(() => '{}')) as BuildNote;
}

// What `viworks` is on a managed host: the program of the release that is current there, on the Node of that release. Compiled
// code in a home directory would be one more thing to leave behind.
const COMMAND = `#!/bin/sh
NODE_DISABLE_COMPILE_CACHE=1 exec ${LAYOUT.current}/runtime/node ${LAYOUT.current}/app/dist/main.js "$@"
`;

async function readAppLayer(dist: string, signal: AbortSignal): Promise<AppLayer> {
  const { agentFiles } = await readPackage(dist);
  if (!agentFiles) throw broken(`${dist} does not say what the agents need`);
  // What only an operator's machine needs is left out of what is shipped.
  const needed = new Set([...agentFiles, 'package.json', 'notify.pl', ...LAUNCHER_FILES]);
  const there = new Set(await readdir(dist));
  const missing = [...needed, 'main.js'].filter((path) => !there.has(path));
  if (missing.length > 0) throw broken(`${dist} is not a complete build: ${missing.join(', ')} is missing`);
  const paths = [...needed].sort();
  const read = await Promise.all(
    paths.map(async (path) => ({ path: `dist/${path}`, content: await readFile(join(dist, path), { signal }) })),
  );
  const added = [
    { path: 'notify.pl', content: await readFile(join(dist, 'notify.pl'), { signal }) },
    { path: 'viworks', content: Buffer.from(COMMAND) },
  ];
  const all = [...read, ...added].sort((a, b) => (a.path < b.path ? -1 : 1));
  const files = all.map(({ path, content }): LayerFile => {
    const sha256 = createHash('sha256').update(content).digest('hex');
    return { path, sha256, size: content.length, mode: /\.pl$|^viworks$/.test(path) ? 0o555 : 0o444 };
  });
  return {
    digest: layerDigest(files),
    files,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    digestOf: (path) => files.find((file) => file.path === path)?.sha256 ?? '',
    pack: () => promisify(gzip)(Buffer.concat(all.map((file) => file.content))),
  };
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x64', x86_64: 'x64', arm64: 'arm64', aarch64: 'arm64' };

async function openRuntime(architecture: string, env: Env): Promise<RuntimeLayer> {
  const name = ARCHITECTURES[architecture];
  if (name === undefined) {
    const what = `there is no runtime for ${architecture}`;
    throw deployErrors.create('VW_DEPLOY_ARTEFACT', { what, remedy: 'viworks ships to x86-64 and aarch64 hosts' });
  }
  const file = await findRuntime(`node-linux-${name}`);
  const info = await stat(file);
  const cache = join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'viworks', 'runtime');
  // Hashing 120 MB takes a good part of a second: the digest is kept with what it depends on.
  const key = createHash('sha256')
    .update(`${file}\0${info.size}\0${info.mtimeMs}\0${info.ino}`)
    .digest('hex')
    .slice(0, 32);
  const note = join(cache, `${key}.sha256`);
  let digest = (await readFile(note, 'utf8').catch(() => '')).trim();
  if (!/^[0-9a-f]{64}$/.test(digest)) {
    digest = await hashFile(file);
    await replaceFile(note, `${digest}\n`, { mode: 0o644 });
  }
  // Several hosts ask for it at the same moment: one packing serves them all.
  let packing: Promise<string> | undefined;
  const pack = (signal: AbortSignal): Promise<string> => {
    packing ??= packRuntime(file, join(cache, `${digest}.gz`), signal).catch((error: unknown) => {
      packing = undefined;
      throw error;
    });
    return packing;
  };
  return { digest, bytes: info.size, pack };
}

async function packRuntime(file: string, packed: string, signal: AbortSignal): Promise<string> {
  if (await exists(packed)) return packed;
  await mkdir(dirname(packed), { recursive: true });
  const aside = `${packed}.new-${process.pid}`;
  try {
    await pipeline(createReadStream(file), createGzip({ level: 6 }), createWriteStream(aside), { signal });
    await rename(aside, packed);
  } finally {
    await rm(aside, { force: true });
  }
  return packed;
}

// The package lies in the node_modules of this checkout or of whoever installed viworks.
async function findRuntime(name: string): Promise<string> {
  // The pinned Node runs this program: its packages lie beside each other.
  const beside = join(dirname(process.execPath), '../..', name, 'bin/node');
  if (await exists(beside)) return beside;
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    const base = basename(directory) === 'node_modules' ? directory : join(directory, 'node_modules');
    const file = join(base, name, 'bin/node');
    if (await exists(file)) return file;
    if (directory === dirname(directory)) break;
  }
  throw deployErrors.create('VW_DEPLOY_ARTEFACT', {
    what: `the runtime package ${name} is not installed here`,
    remedy: `npm install --no-save --force ${name}`,
  });
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

function broken(what: string): Error {
  return deployErrors.create('VW_DEPLOY_ARTEFACT', { what, remedy: 'npm run build' });
}
