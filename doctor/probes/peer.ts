// The only way on which a credential leaves: a connection whose other end was proven to be the backend by the kernel of its host, after it was
// made and before a byte is written. By type: a Credential gives its text to nobody, and sends itself to nothing but a VerifiedStream.
import type { Duplex } from 'node:stream';
import type { Secret } from '../../agents/runtime/index.ts';
import { type Unknown, unknown } from '../engine/index.ts';
import { dial, type Place } from './dial.ts';
import { type Answer, type Exchange, exchange } from './http.ts';
import { type Dialled, judgePeers, type PeerJudgement } from './peer-output.ts';

/** Reads the tables of the kernel on the host that is dialled, at once; the text of `peerSection`, or why there is none. */
export type PeerLook = () => Promise<
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly why: string }
>;

/** A connection to the backend itself. Nothing makes one but `dialBackend`. */
export class VerifiedStream {
  readonly #stream: Duplex;

  private constructor(stream: Duplex) {
    this.#stream = stream;
  }

  /** Dials, and proves the other end; unknown where it cannot be proven, with a sentence that says why. */
  static async dialBackend(place: Place, to: Dialled, look: PeerLook): Promise<VerifiedStream | Unknown> {
    const dialled = await dial(place, to.address, to.port);
    if (!dialled.ok)
      return unknown(dialled.failure === 'forbidden' ? 'forward-forbidden' : 'unreachable', dialled.message);
    let judged = await judge(to, look);
    // A connection that somebody else is just closing looks like one without an other end.
    if (!judged.proven && !judged.permission) judged = await judge(to, look);
    if (judged.proven) return new VerifiedStream(dialled.stream);
    dialled.stream.destroy();
    return unknown(judged.permission ? 'no-permission' : 'peer-unproven', `the token was not sent: ${judged.why}`);
  }

  get stream(): Duplex {
    return this.#stream;
  }
}

/** Why a run has no token, as a sentence with the command that makes one. */
export interface NoCredential {
  readonly why: string;
}

/** The token of a run. */
export class Credential {
  readonly #secret: Secret;

  constructor(secret: Secret) {
    this.#secret = secret;
  }

  /** One exchange with it; redirects are answers like any other. */
  ask(peer: VerifiedStream, request: Exchange): Promise<Answer> {
    const headers = { ...request.headers, Authorization: `Bearer ${this.#secret.reveal()}` };
    return exchange(peer.stream, { ...request, headers });
  }
}

async function judge(to: Dialled, look: PeerLook): Promise<PeerJudgement> {
  const seen = await look();
  return seen.ok ? judgePeers(seen.text, to) : { proven: false, permission: false, why: seen.why };
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
