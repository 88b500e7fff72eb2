// Prints the packages of package-lock.json that belong on this machine and are not installed, one a line. An old system Node makes npm leave
// out optional packages whose `engines` it does not meet, although everything after the installation runs on the pinned Node.
import { existsSync, readFileSync } from 'node:fs';

interface LockedPackage {
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const report = process.report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } };
const libc = report.header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
const fits = (allowed: readonly string[] | undefined, own: string): boolean =>
  allowed === undefined || allowed.includes(own);

for (const [path, { optional, os, cpu, libc: libcs }] of Object.entries(lock.packages)) {
  if (path === '' || !optional || (os === undefined && cpu === undefined)) continue;
  if (!fits(os, process.platform) || !fits(cpu, process.arch) || !fits(libcs, libc)) continue;
  if (!existsSync(`${path}/package.json`)) process.stdout.write(`${path}\n`);
}
