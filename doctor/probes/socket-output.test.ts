// A process chooses its own name: what it writes there must not pass for what the kernel says.
import { expect, test } from 'vitest';
import { parseSs } from './socket-output.ts';

const row = (users: string): string =>
  `LISTEN 0 511 127.0.0.1:8081 0.0.0.0:* users:((${users})) uid:65534 ino:123 sk:1 cgroup:/system.slice/stranger.service <->`;

test('a name with a uid, a cgroup or brackets in it changes neither owner nor unit', () => {
  for (const name of ['node', 'uid:0', 'cgroup:/a', 'x)) uid:0', '")),uid:0']) {
    const [socket] = parseSs(row(`"${name}",pid=4711,fd=18`));
    expect([name, socket?.uid, socket?.unit]).toEqual([name, 65534, 'stranger.service']);
  }
});
