// The TLS front of the local system: a private nginx where there is one, rendered from the templates of every installation.
import { execFile } from 'node:child_process';
import { access, constants, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { http2Spelling, renderNginxPrivate } from '../plan/nginx.ts';
import type { Templates } from '../plan/render.ts';
import type { Places } from './places.ts';

/** An nginx that can be run. */
export interface Nginx {
  readonly program: string;
  readonly version: string;
}

/** The first nginx on PATH, or where Debian puts it for root only. */
export async function findNginx(path: string | undefined, signal: AbortSignal): Promise<Nginx | undefined> {
  const directories = [...(path ?? '').split(':'), '/usr/sbin', '/usr/local/sbin', '/usr/local/nginx/sbin'];
  for (const directory of directories.filter((name) => name.startsWith('/'))) {
    const program = join(directory, 'nginx');
    try {
      await access(program, constants.X_OK);
      const { stderr } = await promisify(execFile)(program, ['-v'], { signal });
      return { program, version: /nginx\/([\d.]+)/.exec(stderr)?.[1] ?? '' };
    } catch {
      signal.throwIfAborted(); // Not there, or not runnable: the next one.
    }
  }
  return undefined;
}

/** Writes the private nginx's configuration; gives the command line that runs it in the foreground. */
export async function prepareNginx(
  nginx: Nginx,
  places: Places,
  rendering: { readonly templates: Templates; readonly releaseId: string },
): Promise<string[]> {
  await mkdir(places.nginx, { recursive: true, mode: 0o700 });
  const { api, agents, tls } = places.ports;
  const text = renderNginxPrivate(rendering.templates, {
    directory: places.nginx,
    asRoot: process.getuid?.() === 0,
    releaseId: rendering.releaseId,
    serverName: 'localhost',
    listen: [`127.0.0.1:${tls}`],
    http2: http2Spelling(nginx.version, true),
    certificate: places.certificate,
    key: places.key,
    api: `127.0.0.1:${api}`,
    agents: `127.0.0.1:${agents}`,
  });
  const file = join(places.nginx, 'nginx.conf');
  await writeFile(file, text, { mode: 0o600 });
  return [nginx.program, '-p', `${places.nginx}/`, '-c', file, '-e', 'stderr'];
}
