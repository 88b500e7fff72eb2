// Connections of the deployer to a backend on its own machine, proven by the kernel before a byte is written; and the name of the stranger
// where it is another's.
import { execFile } from 'node:child_process';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import {
  type Credential,
  type PeerLook,
  type PortOwner,
  peerScript,
  VerifiedStream,
  visibleText,
} from '../agents/runtime/index.ts';
import { deployErrors } from './errors.ts';

/** A port of this machine, as `address:port` of a configuration, and the process that has to hold it. */
export interface LocalBackend {
  readonly bind: string;
  readonly owner: PortOwner;
  /** For one connection and its answer, in ms. */
  readonly ms: number;
}

/** The look takes a few commands; a host that takes longer proves nothing, in ms. */
const LOOK_MS = 5_000;
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Connects, and proves the other end. Throws VW_DEPLOY_PEER with the stranger's name, and what `connect` throws. */
export async function connectBackend(backend: LocalBackend): Promise<VerifiedStream> {
  const to = placeOf(backend.bind);
  const socket = await open(to, backend.ms);
  const peer = await VerifiedStream.prove(socket, to, lookHere(backend.owner, to.port));
  if (peer instanceof VerifiedStream) return peer;
  const names = await Promise.all(peer.strange.map(holderOf));
  const stranger = names.length === 0 ? '' : `: ${names.join(', ')}`;
  throw deployErrors.create('VW_DEPLOY_PEER', { host: 'this host', port: to.port, reason: `${peer.why}${stranger}` });
}

/** One question to a backend; without a credential it is as proven. */
export interface BackendQuestion {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: string;
  readonly credential?: Credential | undefined;
}

/** Asks the backend itself; the open answer, to be read as it comes. Throws as `connectBackend` does. */
export async function askBackend(
  backend: LocalBackend,
  { method = 'GET', path, headers = {}, body, credential }: BackendQuestion,
): Promise<IncomingMessage> {
  const peer = await connectBackend(backend);
  const options = { method, path, headers: { host: backend.bind, connection: 'close', ...headers }, setHost: false };
  return await new Promise((resolve, reject) => {
    const asked = credential
      ? credential.request(peer, options)
      : request({ ...options, createConnection: () => peer.stream });
    asked.setTimeout(backend.ms, () => asked.destroy(new Error(`no answer within ${backend.ms} ms`)));
    asked.once('response', resolve);
    asked.once('error', reject).end(body);
  });
}

// A wildcard is reached on loopback, and that is what the kernel's tables say of the connection.
function placeOf(bind: string): { readonly address: string; readonly port: number } {
  const at = bind.lastIndexOf(':');
  const address = bind.slice(0, at).replace(/[[\]]/g, '');
  const wild: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1', '': '127.0.0.1' };
  return { address: wild[address] ?? address, port: Number(bind.slice(at + 1)) };
}

function open({ address, port }: { address: string; port: number }, ms: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    socket.setTimeout(ms, () => socket.destroy(new Error(`no connection within ${ms} ms`)));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.setTimeout(0);
      // It may be closed while the kernel is asked; whoever writes on it then hears of it.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

function lookHere(owner: PortOwner, port: number): PeerLook {
  // As root only the system's own programs; without root there is nothing to gain, and they may lie elsewhere.
  const env = process.getuid?.() === 0 ? { env: { PATH: SYSTEM_PATH } } : {};
  const options = { timeout: LOOK_MS, maxBuffer: 1024 * 1024, ...env };
  return () =>
    new Promise((resolve) => {
      execFile('/bin/sh', ['-c', `T=\n${peerScript(owner, port)}`], options, (error, stdout) =>
        // Its exit code is the last command's; only an end by force means that it is not whole.
        resolve(
          error?.killed || error?.signal
            ? { ok: false, why: `who holds port ${port} could not be read` }
            : { ok: true, text: stdout },
        ),
      );
    });
}

/** Who holds a socket, for people: `pid 4711 of user 65534 (/usr/bin/perl)`. */
async function holderOf(inode: number): Promise<string> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const links = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
    if (!links.includes(`socket:[${inode}]`)) continue;
    const [program, name, uid] = await Promise.all([
      readlink(`/proc/${pid}/exe`).catch(() => ''),
      readFile(`/proc/${pid}/comm`, 'utf8').catch(() => ''),
      stat(`/proc/${pid}`).then(
        (info) => String(info.uid),
        () => '?',
      ),
    ]);
    return `pid ${pid} of user ${uid} (${visibleText(program || name.trim())})`;
  }
  return 'a process that cannot be seen';
}
