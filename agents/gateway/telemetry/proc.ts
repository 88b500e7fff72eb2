// Figures of the host out of the text of /proc. Pure parsers.

/** Jiffies since boot: all, and those in which nothing ran. */
export interface CpuTimes {
  readonly total: number;
  readonly idle: number;
}

/** The `cpu` line of /proc/stat. */
export function parseCpuTimes(stat: string): CpuTimes | undefined {
  const line = stat.split('\n').find((candidate) => candidate.startsWith('cpu '));
  // user nice system idle iowait irq softirq steal; guest is contained in user
  const fields = line?.trim().split(/\s+/).slice(1, 9).map(Number);
  if (!fields || fields.length < 5 || fields.some((field) => !Number.isFinite(field))) return undefined;
  return { total: fields.reduce((sum, field) => sum + field, 0), idle: (fields[3] ?? 0) + (fields[4] ?? 0) };
}

/** Fraction of the time between two readings in which the CPUs were busy. */
export function cpuFraction(before: CpuTimes, after: CpuTimes): number {
  const total = after.total - before.total;
  if (total <= 0) return 0;
  return Math.min(1, Math.max(0, 1 - (after.idle - before.idle) / total));
}

/** Fraction of memory in use, from /proc/meminfo: what is not available to programs. */
export function parseMemoryUsed(meminfo: string): number {
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(meminfo)?.[1] ?? 'NaN');
  const used = 1 - field('MemAvailable') / field('MemTotal');
  return Number.isFinite(used) ? Math.min(1, Math.max(0, used)) : 0;
}

/** One-minute load, from /proc/loadavg. */
export function parseLoad(loadavg: string): number {
  const load = Number.parseFloat(loadavg);
  return Number.isFinite(load) && load >= 0 ? load : 0;
}

/** Whole seconds since boot, from /proc/uptime. */
export function parseUptime(uptime: string): number {
  const seconds = Math.floor(Number.parseFloat(uptime));
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : 0;
}
