// The only way on which a token leaves for a port of this or another host: a connection whose other end was proven to be the backend by the
// kernel of its host, after it was made and before a byte is written. By type: a Credential gives its text to nobody, and sends itself to
// nothing but a VerifiedStream.
import { type ClientRequest, type RequestOptions, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Dialled, judgePeers, type PeerJudgement } from './peer.ts';
import { Secret } from './secret.ts';

/** Reads the tables of the kernel on the host that is dialled, at once; the text of `peerScript`, or why there is none. */
export type PeerLook = () => Promise<
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly why: string }
>;

/** Why the other end of a connection was not proven to be the backend. */
export type Unproven = Exclude<PeerJudgement, { proven: true }>;

/** A connection to the backend itself. Nothing makes one but `prove`. */
export class VerifiedStream {
  readonly #stream: Duplex;

  private constructor(stream: Duplex) {
    this.#stream = stream;
  }

  /** Proves the other end of an open connection, on which nothing was written; ends it where that cannot be done. */
  static async prove(stream: Duplex, to: Dialled, look: PeerLook): Promise<VerifiedStream | Unproven> {
    let judged = await judge(to, look);
    // A connection that somebody else is just closing looks like one without an other end.
    if (!judged.proven && !judged.permission) judged = await judge(to, look);
    if (judged.proven) return new VerifiedStream(stream);
    stream.destroy();
    return judged;
  }

  get stream(): Duplex {
    return this.#stream;
  }
}

async function judge(to: Dialled, look: PeerLook): Promise<PeerJudgement> {
  const seen = await look();
  return seen.ok ? judgePeers(seen.text, to) : { proven: false, permission: false, why: seen.why, strange: [] };
}

/** A token of any role. */
export class Credential {
  readonly #secret: Secret;

  constructor(secret: Secret) {
    this.#secret = secret;
  }

  /** Begins one HTTP request with it, on a connection of its own; redirects are answers like any other. */
  request(peer: VerifiedStream, options: RequestOptions): ClientRequest {
    const headers = { ...options.headers, Authorization: `Bearer ${this.#secret.reveal()}` };
    return request({ ...options, headers, createConnection: () => peer.stream });
  }
}

/** How the backend marks a token of the role `probe`, so that its role can be read from its text. */
export const PROBE_PREFIX = 'vw_probe_';

/** A token that can do nothing but look at the registry and run the canary. Nothing makes one but `of`. */
export class ProbeCredential extends Credential {
  readonly role = 'probe' as const;

  private constructor(secret: Secret) {
    super(secret);
  }

  /** The credential, if the backend made this token for probes; what it may do is written in its beginning. */
  static of(text: string): ProbeCredential | undefined {
    const token = text.trim();
    // What a header can carry: anything else is not a token, but some other file.
    const isProbe = token.startsWith(PROBE_PREFIX) && /^[\w-]{20,256}$/.test(token);
    return isProbe ? new ProbeCredential(new Secret(token)) : undefined;
  }
}
