// Sockets that share one port: the kernel deals connections out among those that are bound to the same address.
import type { Listener } from './observations.ts';

/**
 * The rows of a port whose address several processes are bound to, one a process; empty where one process alone can get a connection. A
 * socket that systemd alone holds open takes none.
 */
export function sharers(rows: readonly Listener[], port: number): readonly Listener[] {
  const own = rows.filter((row) => row.port === port && row.pid !== 1);
  return own.filter((row, index) => {
    const beside = own.filter((other) => other.address === row.address);
    // Where the owners are not visible every row counts.
    const isFirst = row.pid === null || own.findIndex((other) => other.pid === row.pid) === index;
    return isFirst && beside.some((other) => other !== row && (other.pid === null || other.pid !== row.pid));
  });
}
