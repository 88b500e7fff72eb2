// ssh-agent: which keys it holds, and one of them at a time for a login, so that each refusal can be counted.
import { connect } from 'node:net';
import ssh2, { type OpenSSHAgent, type ParsedKey, type SignCallback, type SigningRequestOptions } from 'ssh2';

/** A key that an agent holds. */
export interface AgentKey {
  readonly type: string;
  readonly blob: Buffer;
  readonly comment: string;
}

const REQUEST_IDENTITIES = Buffer.from([0, 0, 0, 1, 11]);
const IDENTITIES_ANSWER = 12;
const ANSWER_BYTES = 256 * 1024;

/** Lists the keys of the agent behind a socket; none when there is no agent. */
export function listAgent(socket: string, signal: AbortSignal): Promise<readonly AgentKey[]> {
  return new Promise((resolve) => {
    const connection = connect({ path: socket, signal });
    let heard = Buffer.alloc(0);
    const done = (keys: readonly AgentKey[]): void => {
      connection.destroy();
      resolve(keys);
    };
    connection.on('connect', () => connection.write(REQUEST_IDENTITIES));
    connection.on('data', (part: Buffer) => {
      heard = Buffer.concat([heard, part]);
      if (heard.length >= 4 && heard.length >= 4 + heard.readUInt32BE(0)) done(parseIdentities(heard));
      else if (heard.length > ANSWER_BYTES) done([]);
    });
    connection.on('error', () => done([]));
    connection.on('close', () => done([]));
  });
}

/** Reads an SSH_AGENT_IDENTITIES_ANSWER, with its length in front. */
export function parseIdentities(answer: Buffer): readonly AgentKey[] {
  if (answer.length < 9 || answer[4] !== IDENTITIES_ANSWER) return [];
  const keys: AgentKey[] = [];
  let at = 9;
  for (let left = answer.readUInt32BE(5); left > 0; left--) {
    const blob = stringAt(answer, at);
    const comment = blob && stringAt(answer, at + 4 + blob.length);
    if (!blob || !comment) break;
    at += 8 + blob.length + comment.length;
    keys.push({ blob, type: stringAt(blob, 0)?.toString('latin1') ?? '', comment: comment.toString('utf8') });
  }
  return keys;
}

/** A length-prefixed string of the SSH wire format; undefined when it does not fit. */
export function stringAt(buffer: Buffer, at: number): Buffer | undefined {
  if (at + 4 > buffer.length) return undefined;
  const end = at + 4 + buffer.readUInt32BE(at);
  return end <= buffer.length ? buffer.subarray(at + 4, end) : undefined;
}

/** An agent that holds one key of another: ssh2 tries every key of an agent and tells of none that was refused. */
export class OneKeyAgent extends ssh2.OpenSSHAgent {
  readonly #blob: Buffer;
  readonly #onSign: () => void;

  constructor(socket: string, blob: Buffer, onSign: () => void) {
    super(socket);
    this.#blob = blob;
    this.#onSign = onSign;
  }

  override getIdentities(done: Parameters<OpenSSHAgent['getIdentities']>[0]): void {
    super.getIdentities((error, keys) =>
      done(
        error,
        keys?.filter((key) => isKey(key, this.#blob)),
      ),
    );
  }

  override sign(key: SignedKey, data: Buffer, options?: SigningRequestOptions, done?: SignCallback): boolean;
  override sign(key: SignedKey, data: Buffer, done?: SignCallback): boolean;
  override sign(...args: [SignedKey, Buffer, (SigningRequestOptions | SignCallback)?, SignCallback?]): boolean {
    // sshd asks for a signature only of a key that it accepts.
    this.#onSign();
    return super.sign(...(args as Parameters<OpenSSHAgent['sign']>));
  }
}

type SignedKey = ParsedKey | Buffer | string;

function isKey(key: unknown, blob: Buffer): boolean {
  return (key as ParsedKey).getPublicSSH().equals(blob);
}
