// A line of /proc/PID/stat, wherever it was read. Pure.

/** What is used of it. Times are in clock ticks, `startTicks` since boot. */
export interface ProcStat {
  readonly name: string;
  readonly state: string;
  readonly cpuTicks: number;
  readonly startTicks: number;
}

/** Undefined for what is no such line. The name may hold blanks and brackets, so everything is counted from its last bracket. */
export function parseProcStat(line: string): ProcStat | undefined {
  const match = /^\d+ \((.*)\) (\w) (.*)$/s.exec(line.trimEnd());
  if (!match) return undefined;
  const [, name = '', state = '', fields = ''] = match;
  const rest = fields.split(' ').map(Number);
  // utime and stime are fields 14 and 15, starttime is field 22 of proc(5); `rest` begins at field 4.
  return { name, state, cpuTicks: (rest[10] ?? 0) + (rest[11] ?? 0), startTicks: rest[18] ?? 0 };
}
