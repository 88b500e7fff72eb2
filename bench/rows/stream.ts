// One long output stream: megabytes a second against a raw WebSocket with the same credit window, and how memory behaves.
import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';
import { command } from '../client.ts';
import type { Row } from '../measure.ts';
import type { System } from '../system.ts';
import { residentMb } from './memory.ts';

const CHUNK = 64 * 1024;
const CREDIT = 1024 * 1024;

/** The row `stream`; `megabytes` per round. */
export async function streamRow(system: System, megabytes: number): Promise<Row> {
  const bytes = megabytes * 1024 * 1024;
  const ours: number[] = [];
  const raw: number[] = [];
  const notes: string[] = [];
  for (let round = 0; round < 3; round++) {
    const before = [rss(system.pids.backend), rss(system.pids.gateway)];
    const answer = await command(system, ['head', '-c', String(bytes), '/dev/zero']);
    if (answer.bytes !== bytes) throw new Error(`${answer.bytes} of ${bytes} bytes came back`);
    ours.push((megabytes / answer.totalMs) * 1000);
    raw.push((megabytes / (await rawStream(bytes))) * 1000);
    notes.push(
      `RSS backend ${before[0]} → ${rss(system.pids.backend)} MB, gateway ${before[1]} → ${rss(system.pids.gateway)} MB`,
    );
  }
  return {
    id: 'stream',
    work: `one output stream of ${megabytes} MB, durable, to a viewer`,
    aim: '≥ 0.8 × raw ws; RSS of both agents flat',
    ours: { name: 'viworks', unit: 'MB/s', samples: ours },
    others: [{ name: 'raw ws, 1 MiB credit', unit: 'MB/s', samples: raw }],
    skipped: undefined,
    notes,
  };
}

function rss(pid: number): number {
  return Math.round(residentMb(pid));
}

/** Sends `bytes` over a bare WebSocket with a credit window; gives the milliseconds it took. */
async function rawStream(bytes: number): Promise<number> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const chunk = Buffer.alloc(CHUNK);
  server.on('connection', (socket) => {
    let sent = 0;
    let credit = CREDIT;
    const pump = (): void => {
      while (sent < bytes && sent < credit) {
        socket.send(chunk);
        sent += CHUNK;
      }
    };
    socket.on('message', (data: Buffer) => {
      credit = Number(data.toString()) + CREDIT;
      pump();
    });
    pump();
  });
  const started = performance.now();
  const client = new WebSocket(`ws://127.0.0.1:${address.port}`, { perMessageDeflate: false });
  let received = 0;
  await new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('message', (data: Buffer) => {
      received += data.length;
      if (received % (2 * CHUNK) === 0) client.send(String(received));
      if (received >= bytes) resolve();
    });
  });
  const took = performance.now() - started;
  client.terminate();
  server.close();
  return took;
}
