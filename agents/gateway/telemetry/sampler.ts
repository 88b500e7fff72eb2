// Takes a sample of the host and of this agent every ten seconds and hands it on.
import { readFile, statfs } from 'node:fs/promises';
import { limits, type Sample } from '../../protocol/index.ts';
import type { Clock } from '../../runtime/index.ts';
import { type CpuTimes, cpuFraction, parseCpuTimes, parseLoad, parseMemoryUsed, parseUptime } from './proc.ts';

/** Takes samples; the CPU figure covers the time since the one before. */
export interface Sampler {
  readonly last: Sample | undefined;
  run(signal: AbortSignal): Promise<void>;
}

/** Creates a sampler. `diskPath` says which file system is watched. */
export function createSampler(deps: {
  readonly clock: Clock;
  readonly diskPath: string;
  tasks(): { readonly running: number; readonly spoolBytes: number };
  taken(sample: Sample): void;
}): Sampler {
  let last: Sample | undefined;
  let before: CpuTimes | undefined;

  async function take(signal: AbortSignal): Promise<Sample> {
    const read = (file: string): Promise<string> =>
      readFile(file, { encoding: 'utf8', signal }).catch((error: unknown) => {
        if (signal.aborted) throw error;
        return '';
      });
    const [stat, meminfo, loadavg, uptime, disk] = await Promise.all([
      read('/proc/stat'),
      read('/proc/meminfo'),
      read('/proc/loadavg'),
      read('/proc/uptime'),
      statfs(deps.diskPath).catch(() => undefined),
    ]);
    const times = parseCpuTimes(stat);
    const cpu = before && times ? cpuFraction(before, times) : 0;
    before = times;
    const { running, spoolBytes } = deps.tasks();
    return {
      at: deps.clock.now(),
      cpu,
      load1: parseLoad(loadavg),
      memoryUsed: parseMemoryUsed(meminfo),
      diskUsed: disk && disk.blocks > 0 ? 1 - disk.bavail / disk.blocks : 0,
      uptimeSeconds: parseUptime(uptime),
      runningTasks: running,
      spoolBytes,
      agentRssBytes: process.memoryUsage.rss(),
    };
  }

  return {
    get last() {
      return last;
    },
    async run(signal) {
      while (!signal.aborted) {
        last = await take(signal);
        deps.taken(last);
        await deps.clock.sleep(limits.HEARTBEAT_MS, signal);
      }
    },
  };
}
