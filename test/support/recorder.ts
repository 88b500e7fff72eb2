// A server that keeps every byte that it is sent, for tests of who gets a secret; everything is closed by the test that opened it.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Recorders that are open, and the way to close them all. */
export interface Recorders {
  /** Listens on a free port of the address, keeps every byte, and answers every request with `{}`. */
  open(address: string): Promise<{ readonly port: number; bytes(): string }>;
  close(): void;
}

export function createRecorders(): Recorders {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  return {
    async open(address) {
      const kept: Buffer[] = [];
      const server = createServer((socket) => {
        sockets.add(socket.on('error', () => undefined));
        socket.on('data', (chunk) => {
          kept.push(chunk);
          socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}');
        });
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, address, resolve));
      return { port: (server.address() as AddressInfo).port, bytes: () => Buffer.concat(kept).toString('latin1') };
    },
    close() {
      for (const socket of sockets) socket.destroy();
      for (const server of servers.splice(0)) server.close();
    },
  };
}
