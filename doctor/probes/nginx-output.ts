// Pure parsers of what the nginx sections print: files, processes, `nginx -t`, the error log.

import type { LogLine, LogTail, NginxFile, NginxFiles, NginxProcesses, NginxTest } from '../engine/index.ts';
import { epochMs } from './frames.ts';
import type { SeenProcess } from './service-output.ts';

/** How much of each log was there when it was read. */
export function errorLogPlaces(text: string): readonly LogPlace[] {
  return [...text.matchAll(/^--file (\S+) (\d+) (\d+)$/gm)].map(([, path = '', inode = '', size = '']) => ({
    path,
    inode,
    size,
  }));
}

/** A log file as it was at one look; inode and size as the kernel prints them. */
export interface LogPlace {
  readonly path: string;
  readonly inode: string;
  readonly size: string;
}

/** A file with its time. */
export interface TimedFile {
  readonly path: string;
  readonly text: string;
  readonly mtimeMs: number;
}

/** Files between lines `--NONCE mtime path`; the first one is the entry. */
export function parseNginxFiles(text: string, nonce: string): NginxFiles {
  const files: NginxFile[] = [];
  const unreadable: string[] = [];
  for (const block of text.split(`\n--${nonce} `).slice(1)) {
    const head = /^(\S+) (.*)\n?/.exec(block);
    if (!head) continue;
    const [whole, mtime = '-', path = ''] = head;
    const body = block.slice(whole.length);
    if (body.startsWith('!unreadable')) unreadable.push(path);
    else files.push({ path, text: body, mtimeMs: epochMs(mtime) });
  }
  const entry = files[0]?.path ?? unreadable[0];
  if (entry === undefined) throw new Error('no file of the configuration could be found');
  return { entry, files, unreadable };
}

export function nginxProcesses(seen: readonly SeenProcess[], version: string | null): NginxProcesses {
  const master = seen.find((item) => item.commandLine.startsWith('nginx: master'));
  const workers = seen.filter((item) => item.commandLine.startsWith('nginx: worker'));
  return {
    version,
    masterPid: master?.pid ?? null,
    masterStartedAtMs: master?.startedAtMs ?? null,
    workers: workers.map((item) => ({
      pid: item.pid,
      startedAtMs: item.startedAtMs,
      shuttingDown: item.commandLine.includes('shutting down'),
      state: item.state,
    })),
  };
}

/** A copy on stdin stands for the main file; its name is put back so that the line can be found. */
export function parseNginxTest(text: string): NginxTest {
  const output = text.replaceAll('/dev/stdin', '/etc/nginx/nginx.conf').trim();
  if (!/test (is successful|failed)|\[emerg\]/.test(output))
    throw new Error(output.slice(0, 200) || 'nginx -t said nothing');
  return { ok: /test is successful/.test(output) && !/\[emerg\]/.test(output), output };
}

/**
 * `2026/11/20 16:19:38 [error] 213#213: …`: local time of the host. Lines older than the workers that run now are left out. Throws where no
 * log is a file that could be read: that says nothing of what nginx says.
 */
export function parseErrorLog(
  text: string,
  about: {
    readonly zoneMs: number;
    readonly sinceMs: number | null;
    readonly cut: boolean;
    readonly cutAtBytes: number;
  },
): LogTail {
  const blocks = text.split(/^--file \S+(?: \d+ \d+)?$/m).slice(1);
  if (blocks.length === 0) throw new Error('no error log of nginx is a file that could be read');
  const lines = blocks.flatMap((block) =>
    block.split('\n').flatMap((line): LogLine[] => {
      const match = /^(\d{4})\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d) /.exec(line);
      if (!match) return [];
      const atMs = Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}Z`) - about.zoneMs;
      return [{ atMs, text: line }];
    }),
  );
  const { sinceMs } = about;
  const recent = sinceMs === null ? lines : lines.filter((line) => line.atMs === null || line.atMs >= sinceMs - 1000);
  const cut = blocks.some((block) => block.length >= about.cutAtBytes);
  // Another of its logs may have been refused.
  const lacking = about.cut || /^!permission /m.test(text);
  return {
    source: 'file',
    sinceMs,
    lines: recent.slice(-120),
    truncated: lacking || (cut && recent.length === lines.length) || recent.length > 120,
  };
}
