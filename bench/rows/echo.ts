// `echo hi` from the API to its result on open connections, and the time from a task's write to the viewer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';
import { command } from '../client.ts';
import { quantile, type Row } from '../measure.ts';
import type { System } from '../system.ts';

const ROUNDS = 300;
const WARM_UP = 50;

/** The rows `echo` and `first byte`. Rounds of ours and of the floor alternate, so that noise hits both. */
export async function echoRows(system: System): Promise<Row[]> {
  const floor = await openFloor();
  const ours: number[] = [];
  const floors: number[] = [];
  const latencies: number[] = [];
  try {
    for (let round = -WARM_UP; round < ROUNDS; round++) {
      const answer = await command(system, ['bash', '-c', 'echo hi']);
      if (answer.code !== 0 || answer.bytes !== 3) throw new Error(`round ${round}: ${JSON.stringify(answer)}`);
      const under = await floor.round();
      if (round < 0) continue;
      ours.push(answer.totalMs);
      floors.push(under);
    }
    for (let round = 0; round < 60; round++) {
      const program =
        'use Time::HiRes "time"; $|=1; select(undef,undef,undef,0.05); printf "%.3f", time()*1000; select(undef,undef,undef,0.02)';
      const { first } = await command(system, ['perl', '-e', program]);
      if (first) latencies.push(first.at - Number(first.text));
    }
  } finally {
    floor.close();
  }
  const p50 = quantile(ours, 0.5);
  return [
    {
      id: 'echo',
      work: '`echo hi` through API → gateway → result, journal and store durable',
      aim: '≤ 1.15 × (bash spawn + ws round trip) at p50; p99 ≤ 5 × p50',
      ours: { name: 'viworks', unit: 'ms', samples: ours },
      others: [{ name: 'bash spawn + ws round trip', unit: 'ms', samples: floors }],
      skipped: undefined,
      notes: [`p99 / p50 = ${(quantile(ours, 0.99) / p50).toFixed(2)}`],
    },
    {
      id: 'first-byte',
      work: 'from the task’s write to the viewer of the stream',
      aim: '≤ 1 ms p50 on loopback',
      ours: { name: 'viworks', unit: 'ms', samples: latencies },
      others: [],
      skipped: undefined,
      notes: [],
    },
  ];
}

interface Floor {
  round(): Promise<number>;
  close(): void;
}

/** The least that the work can cost: one bash process and one WebSocket round trip. */
async function openFloor(): Promise<Floor> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await once(server, 'listening');
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = new WebSocket(`ws://127.0.0.1:${address.port}`, { perMessageDeflate: false });
  await once(client, 'open');
  return {
    async round() {
      const started = performance.now();
      client.send('{"type":"task.run"}');
      await once(client, 'message');
      const child = spawn('bash', ['-c', 'echo hi'], { stdio: ['ignore', 'pipe', 'ignore'] });
      child.stdout.resume();
      await once(child, 'close');
      return performance.now() - started;
    },
    close() {
      client.terminate();
      server.close();
    },
  };
}
