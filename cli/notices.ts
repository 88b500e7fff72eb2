// The notices of third parties whose code is in the bundle: which packages went in, in which version, under which licence, and its text.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Notice {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly text: string;
}

/**
 * `inputs` are the paths that the bundler read, relative to `root`. One section a package, sorted by name. Throws for a package without a
 * licence: it may not be shipped.
 */
export function thirdPartyNotices(inputs: readonly string[], root: string): string {
  const directories = new Set(inputs.flatMap((path) => packageDirectory(path) ?? []));
  const notices = [...directories].map((directory) => noticeOf(join(root, directory)));
  const key = ({ name, version }: Notice): string => `${name}@${version}`;
  const sections = [...new Map(notices.map((notice) => [key(notice), notice])).values()]
    .sort((a, b) => (key(a) < key(b) ? -1 : 1))
    .map((notice) => `${key(notice)} (${notice.license})\n\n${notice.text}\n`);
  return `viworks contains code of these packages.\n\n${sections.join(`\n${'-'.repeat(72)}\n\n`)}`;
}

/** `node_modules/@a/b/lib/c.js` → `node_modules/@a/b`; the innermost one where packages nest. */
function packageDirectory(path: string): string | null {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? null;
}

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly license?: string;
  /** The form that npm retired; some packages still have it. */
  readonly licenses?: readonly { readonly type: string }[];
}

function noticeOf(directory: string): Notice {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
  const { name, version } = manifest;
  const license = manifest.license ?? manifest.licenses?.map(({ type }) => type).join(' OR ');
  if (name === undefined || version === undefined || !license) {
    throw new Error(`${directory}/package.json names no licence, so it cannot go into the bundle`);
  }
  const file = readdirSync(directory).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const text =
    file === undefined ? 'The package has no licence file.' : readFileSync(join(directory, file), 'utf8').trim();
  return { name, version, license, text };
}
