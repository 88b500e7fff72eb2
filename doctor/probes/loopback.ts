// The loopback interface: nginx dials the backend over it, and resolvers and health pages listen on it.
import type { Loopback } from '../engine/index.ts';
import { defineProbe } from './define-probe.ts';

export const loopbackProbe = defineProbe({
  id: 'host.loopback',
  title: 'loopback interface',
  script: `cat /sys/class/net/lo/flags || return $?
if have ip; then $T ip -o addr show dev lo 2>/dev/null; else grep -B1 '/32 host' /proc/net/fib_trie; fi`,
  key: 'host.loopback',
  command: 'ip addr show dev lo',
  parse: parseLoopback,
});

/** The flags of the kernel, of which bit 0 says "up"; then its addresses, as ip or as the kernel prints them. */
function parseLoopback(text: string): Loopback {
  const flags = Number(/^0x[0-9a-f]+$/m.exec(text)?.[0] ?? Number.NaN);
  if (Number.isNaN(flags)) throw new Error('no flags of lo');
  const found = [...text.matchAll(/\binet6? ([0-9a-f.:]+)|\|-- (127\.[\d.]+)/g)];
  return { up: flags % 2 === 1, addresses: [...new Set(found.map((match) => match[1] ?? match[2] ?? ''))] };
}
