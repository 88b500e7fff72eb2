// What an injection works with: scripts and files on the hosts. Every file that it changes is kept first, outside the host,
// so that mending puts back exactly what was there.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { quoteWord } from '../../../agents/runtime/index.ts';
import type { LabState } from './lab.ts';
import type { HostName, Layout } from './layout.ts';
import type { ShellResult } from './shell.ts';

interface Kept {
  readonly host: HostName;
  readonly path: string;
  /** A tar of the one path, base64; undefined when there was nothing. */
  readonly tar: string | undefined;
}

export interface Workbench {
  /** The lab's folder on this machine. */
  readonly dir: string;
  readonly addresses: Readonly<Record<HostName, string>>;
  readonly operator: string;
  readonly nobody: string;
  /** Runs a script on the host and answers with what it printed; a failure throws. */
  run(host: HostName, script: string, input?: string): Promise<string>;
  /** As `run`, but a failure is an answer. */
  attempt(host: HostName, script: string): Promise<ShellResult>;
  read(host: HostName, file: string): Promise<string>;
  write(host: HostName, file: string, text: string): Promise<void>;
  remove(host: HostName, file: string): Promise<void>;
  /** The same bench, keeping what it changes under the name of a fault. */
  for(fault: string): Workbench;
  /** Puts back everything that was kept under this name, last change first. */
  restore(): Promise<void>;
}

export interface WorkbenchParts {
  readonly layout: Layout;
  readonly state: LabState;
  readonly run: (host: HostName, script: string, input?: string) => Promise<ShellResult>;
}

export function createWorkbench(parts: WorkbenchParts, fault = 'lab'): Workbench {
  const journal = path.join(parts.layout.dir, 'kept', `${fault}.json`);

  const run = async (host: HostName, script: string, input?: string): Promise<string> => {
    const result = await parts.run(host, script, input);
    if (result.code !== 0) {
      throw new Error(
        `on ${host}: ${script.trim().split('\n')[0]} … ended with ${result.code}: ${result.stderr.trim().slice(-500)}`,
      );
    }
    return result.stdout;
  };
  const load = async (): Promise<readonly Kept[]> =>
    JSON.parse(await readFile(journal, 'utf8').catch(() => '[]')) as readonly Kept[];

  const keep = async (host: HostName, file: string): Promise<void> => {
    const tar = await run(
      host,
      `cd / && if [ -e .${quoteWord(file)} ] || [ -L .${quoteWord(file)} ]; then tar -cf - -- .${quoteWord(file)} | base64 -w0; fi`,
    );
    await mkdir(path.dirname(journal), { recursive: true });
    const entry: Kept = { host, path: file, tar: tar || undefined };
    await writeFile(journal, JSON.stringify([...(await load()), entry]));
  };

  return {
    dir: parts.layout.dir,
    addresses: parts.state.slice.hosts,
    operator: parts.state.slice.operator,
    nobody: parts.state.slice.nobody,
    run,
    attempt: parts.run,
    read: (host, file) => run(host, `cat ${quoteWord(file)}`),
    async write(host, file, text) {
      await keep(host, file);
      // In place: a file that is a bind mount, or a link into a release, stays what it is.
      await run(host, `mkdir -p "$(dirname ${quoteWord(file)})" && cat > ${quoteWord(file)}`, text);
    },
    async remove(host, file) {
      await keep(host, file);
      await run(host, `rm -rf ${quoteWord(file)}`);
    },
    for: (name) => createWorkbench(parts, name),
    async restore() {
      for (const { host, path: file, tar } of [...(await load())].reverse()) {
        if (tar === undefined) await run(host, `rm -rf ${quoteWord(file)}`);
        else await run(host, `rm -rf ${quoteWord(file)}; cd / && base64 -d | tar -xpf -`, tar);
      }
      await rm(journal, { force: true });
    },
  };
}
