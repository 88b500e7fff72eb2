// Pure parsers of `systemctl show`, of what the process section prints from /proc, and of the journal.

import { parseProcStat } from '../../agents/runtime/index.ts';
import type { LogLine, LogTail, ProcessState, UnitState } from '../engine/index.ts';
import { epochMs } from './frames.ts';
import { unitOfCgroupFile } from './socket-output.ts';

type Fields = Readonly<Record<string, string>>;

/** A unit with every name that it answers to, and since when its log speaks of the present state. */
export interface SeenUnit {
  readonly state: UnitState;
  readonly names: readonly string[];
  readonly windowMs: number | null;
  /** Its log window reaches over several starts of one loop. */
  readonly looping: boolean;
}

/** Blocks of `systemctl show A B C`. `nowMs` by the clock of that host. */
export function parseUnits(text: string, nowMs: number): readonly SeenUnit[] {
  return text
    .split(/\n\n+/)
    .map(fieldsOf)
    .filter((fields) => fields.Id)
    .map((fields) => {
      const state = unitState(fields);
      const names = (fields.Names ?? '').split(' ').filter(Boolean);
      const windowMs = windowOf(state, timeOf(fields.InactiveExitTimestamp), nowMs);
      return { state, names, windowMs, looping: isLooping(state, nowMs) };
    });
}

/** A unit that came up this recently after a restart by systemd may be in a loop, in ms. */
const LOOP_MS = 10_000;
/** How far back the run before belongs to the same loop, in ms. */
const LOOP_WINDOW_MS = 30_000;

/** Waiting to be started again, or just started again, after it ended at least once. */
function isLooping({ mainStartedAtMs: started, subState, restarts }: UnitState, nowMs: number): boolean {
  return started !== null && restarts > 0 && (subState === 'auto-restart' || nowMs - started < LOOP_MS);
}

function windowOf(state: UnitState, leftInactiveMs: number | null, nowMs: number): number | null {
  const { mainStartedAtMs: started, subState } = state;
  if (started !== null && isLooping(state, nowMs)) return started - LOOP_WINDOW_MS;
  if (started !== null && subState === 'auto-restart') return started;
  // The later of the two: a start that fails in ExecStartPre leaves the main process's time at the run before.
  const starts = [started, leftInactiveMs].filter((at) => at !== null);
  return starts.length > 0 ? Math.max(...starts) : state.changedAtMs;
}

/** `Name=value` lines of one block. */
export function fieldsOf(block: string): Fields {
  const fields: Record<string, string> = {};
  for (const line of block.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1);
  }
  return fields;
}

const mainCodes: Readonly<Record<string, string>> = { '0': '', '1': 'exited', '2': 'killed', '3': 'dumped' };

function unitState(fields: Fields): UnitState {
  const pid = Number(fields.MainPID ?? 0);
  return {
    name: fields.Id ?? '',
    loadState: fields.LoadState ?? '',
    unitFileState: fields.UnitFileState ?? '',
    activeState: fields.ActiveState ?? '',
    subState: fields.SubState ?? '',
    result: fields.Result ?? '',
    restarts: Number(fields.NRestarts ?? 0),
    mainStatus: Number(fields.ExecMainStatus ?? 0),
    mainCode: mainCodes[fields.ExecMainCode ?? '0'] ?? '',
    mainPid: pid > 0 ? pid : null,
    execStart: /argv\[\]=(.*?) ; ignore_errors/.exec(fields.ExecStart ?? '')?.[1] ?? '',
    needDaemonReload: fields.NeedDaemonReload === 'yes',
    fragmentPath: fields.FragmentPath ?? '',
    mainStartedAtMs: timeOf(fields.ExecMainStartTimestamp),
    activeSinceMs: timeOf(fields.ActiveEnterTimestamp),
    inactiveSinceMs: timeOf(fields.InactiveEnterTimestamp),
    changedAtMs: timeOf(fields.StateChangeTimestamp),
    user: fields.User ?? '',
    restartPolicy: fields.Restart ?? '',
    type: fields.Type ?? '',
  };
}

/** `Fri 2026-11-20 16:03:27.123456 UTC`, or without the fraction. */
export function timeOf(text: string | undefined): number | null {
  const match = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d{1,3})?\d* UTC/.exec(text ?? '');
  return match ? Date.parse(`${match[1]}T${match[2]}${match[3] ?? ''}Z`) : null;
}

/** A process as the section saw it; the extra fields serve to find out whose it is. */
export type SeenProcess = Omit<Extract<ProcessState, { readonly running: true }>, 'running'> & {
  readonly name: string;
  readonly parent: number;
  /** Its pid in its own pid namespace; another number than `pid` means a container. */
  readonly innerPid: number;
  /**
   * It runs as a user that a part may run as (root, the units' users, ourselves), and nobody else could have put its program there.
   * What a process calls itself proves nothing.
   */
  readonly vouched: boolean;
  /** The kernel did not let us see its program: then its user and parent are all that speaks for it. */
  readonly unseen: boolean;
};

/** The blocks that begin with `--pid N`. */
export function parseProcesses(
  text: string,
  about: { readonly later: string; readonly bootMs: number | null },
): readonly SeenProcess[] {
  const [body = '', tail = ''] = text.split('--now ');
  const now = Number(tail.split(' ')[0]);
  const ticks = Number(/\n(\d+)\s*$/.exec(tail)?.[1] ?? 100);
  const laterNow = Number(/--now ([\d.]+)/.exec(about.later)?.[1] ?? Number.NaN);
  return body.split(/^--pid /m).flatMap((block) => {
    const pid = Number.parseInt(block, 10);
    const stat = parseProcStat(/^stat (.*)$/m.exec(block)?.[1] ?? '');
    if (!Number.isInteger(pid) || !stat) return [];
    const exe = /^exe (.*)$/m.exec(block)?.[1];
    const mtime = epochMs(/^mtime (\S+)$/m.exec(block)?.[1]);
    const limit = /^Max open files\s+(\d+)/m.exec(block)?.[1];
    const fds = /^fds\s+(\d+)/m.exec(block)?.[1];
    const inner = /^NSpid:\s+(.*)$/m.exec(block)?.[1]?.trim().split(/\s+/).at(-1);
    const commandLine = (/^cmdline (.*)$/m.exec(block)?.[1] ?? '').trim();
    const after = parseProcStat(about.later.split('\n').find((line) => line.startsWith(`${pid} `)) ?? '');
    const cpu = after && laterNow > now ? ((after.cpuTicks - stat.cpuTicks) / ticks / (laterNow - now)) * 100 : null;
    return [
      {
        pid,
        name: nameOf({ commandLine, exe, comm: stat.name, odd: /^program odd$/m.test(block) }),
        parent: Number(/^PPid:\s+(\d+)/m.exec(block)?.[1] ?? 0),
        innerPid: Number(inner ?? pid),
        vouched: /^vouched$/m.test(block),
        unseen: /^program unseen$/m.test(block),
        state: /^State:\s+(\w)/m.exec(block)?.[1] ?? stat.state,
        startedAtMs: about.bootMs === null ? null : Math.round(about.bootMs + (stat.startTicks / ticks) * 1000),
        commandLine,
        unit: unitOfCgroupFile(/^cgroup\n((?:\d+:.*\n?)*)/m.exec(block)?.[1] ?? ''),
        binaryDeleted: exe === undefined ? null : exe.endsWith(' (deleted)'),
        binaryMtimeMs: mtime,
        cpuPercent: cpu === null ? null : Math.round(cpu),
        openFiles: fds === undefined ? null : Number(fds),
        openFilesLimit: limit === undefined ? null : Number(limit),
      },
    ];
  });
}

// The program's file says more than a name that the process may have chosen itself; one that anybody could have put there is named in full.
function nameOf(of: { commandLine: string; exe: string | undefined; comm: string; odd: boolean }): string {
  const program = (of.exe ?? '').replace(/ \(deleted\)$/, '');
  if (of.odd && program !== '') return program;
  const file = program.slice(program.lastIndexOf('/') + 1);
  if (file !== '') return file.startsWith(of.comm) ? of.comm : file;
  if (of.comm !== 'MainThread') return of.comm;
  const first = of.commandLine.split(' ')[0] ?? '';
  return first.slice(first.lastIndexOf('/') + 1) || of.comm;
}

/**
 * The lines of the loop that goes on now: what came before its first start, or before somebody last stopped the unit, speaks of another
 * time. An error that was mended in between would else be told once more.
 */
function thisLoop(lines: readonly LogLine[]): readonly LogLine[] {
  const last = (pattern: RegExp) => lines.findLastIndex((line) => pattern.test(line.text));
  const counted = last(/restart counter is at 1\b/);
  const firstStart = lines.slice(0, Math.max(counted, 0)).findLastIndex((line) => /^Start(ing|ed) /.test(line.text));
  // A start of Type=notify says Starting, then Started: the earlier of the two begins the run.
  const begins = firstStart > 0 && /^Starting /.test(lines[firstStart - 1]?.text ?? '') ? firstStart - 1 : firstStart;
  return lines.slice(Math.max(begins, last(/^Stopping /), 0));
}

/** `journalctl -o short-unix`: `1763654607.123456 host ident[pid]: message`. */
export function parseJournal(
  text: string,
  about: { readonly sinceMs: number | null; readonly cut: boolean; readonly max: number; readonly looping?: boolean },
): LogTail {
  const all = text.split('\n').flatMap((line): LogLine[] => {
    const match = /^(\d+\.\d+) \S+ ([^:\s]+): ?(.*)$/.exec(line);
    if (!match) return line.trim() === '' ? [] : [{ atMs: null, text: line }];
    return [{ atMs: Math.round(Number(match[1]) * 1000), text: match[3] ?? '' }];
  });
  const since = about.sinceMs;
  // Where systemctl only told whole seconds, the lines of that second stay in.
  const from = since === null ? 0 : since - (since % 1000 === 0 ? 0 : 2);
  const inWindow = since === null ? all : all.filter((line) => line.atMs === null || line.atMs >= from);
  const lines = about.looping ? thisLoop(inWindow) : inWindow;
  // What was cut off lay before the window when older lines than it are still there.
  const truncated = about.cut || (all.length >= about.max && lines.length === all.length);
  return { source: 'journal', sinceMs: since, lines, truncated };
}
