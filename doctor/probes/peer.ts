// Connections to the backend itself, proven by the kernel of its host, and the look that proves them.
import { type Dialled, type PeerLook, type PortOwner, peerScript, VerifiedStream } from '../../agents/runtime/index.ts';
import { type Unknown, unknown } from '../engine/index.ts';
import { dial, type Place } from './dial.ts';
import type { Section } from './script.ts';

/** Every row of one port on a busy API is less than this, in bytes; a table that is cut proves nothing. */
const CAP_BYTES = 1024 * 1024;

/** The section whose text proves who holds a port. */
export function peerSection(owner: PortOwner, port: number): Section {
  return { id: 'peer.owner', title: 'who holds the API port', capBytes: CAP_BYTES, body: peerScript(owner, port) };
}

/** Dials, and proves the other end; unknown where it cannot be proven, with a sentence that says why. */
export async function dialBackend(place: Place, to: Dialled, look: PeerLook): Promise<VerifiedStream | Unknown> {
  const dialled = await dial(place, to.address, to.port);
  if (!dialled.ok)
    return unknown(dialled.failure === 'forbidden' ? 'forward-forbidden' : 'unreachable', dialled.message);
  const peer = await VerifiedStream.prove(dialled.stream, to, look);
  if (peer instanceof VerifiedStream) return peer;
  return unknown(peer.permission ? 'no-permission' : 'peer-unproven', `the token was not sent: ${peer.why}`);
}

/** Why a run has no token, as a sentence with the command that makes one. */
export interface NoCredential {
  readonly why: string;
}

/** Connections that wait for a look at the same time share one: it starts after the last of them was made. */
export function shareLooks(look: PeerLook): PeerLook {
  let running: Promise<unknown> = Promise.resolve();
  let next: ReturnType<PeerLook> | undefined;
  return () => {
    next ??= running.then(() => {
      next = undefined;
      const looking = look();
      running = looking.catch(() => undefined);
      return looking;
    });
    return next;
  };
}
