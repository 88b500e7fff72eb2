// API tokens and who they stand for. A token that is not known yet is looked up in the store, so that one made by another process
// counts at once; revoking goes through here, and counts at once, too.
import { http } from '../../protocol/index.ts';
import { type Clock, PROBE_PREFIX } from '../../runtime/index.ts';
import { createId } from '../commands/ids.ts';
import { backendErrors } from '../errors.ts';
import type { TokenRecord } from '../storage/records.ts';
import type { Store } from '../storage/store.ts';
import { createSecret, hashSecret, sameHash } from './secrets.ts';

/** How exact `lastUsedAt` is: a write per request would cost more than the request. */
const USED_EVERY_MS = 60_000;

/** How long a token is believed without another look: as long as another backend's revocation may take to count here. */
const KNOWN_MS = 2_000;

/** Tokens. */
export interface Tokens {
  /** Makes a token; its text is in the answer and nowhere else. Throws VW_BACKEND_NAME_TAKEN. */
  create(request: { name: string; role: http.Role }): Promise<{ record: TokenRecord; token: string }>;
  /** The token behind a text, if it has at least the role; throws VW_BACKEND_UNAUTHENTICATED or VW_BACKEND_FORBIDDEN. */
  require(text: string | undefined, role: http.Role): Promise<TokenRecord>;
  /** False when there is none with this id. */
  revoke(tokenId: string): Promise<boolean>;
}

/** Creates the part that knows tokens. */
export function createTokens(deps: { store: Store; clock: Clock }): Tokens {
  const { store, clock } = deps;
  const used = new Map<string, number>();
  const known = new Map<string, { readonly record: TokenRecord; readonly until: number }>();

  async function find(text: string | undefined): Promise<TokenRecord> {
    if (text === undefined || text === '')
      throw backendErrors.create('VW_BACKEND_UNAUTHENTICATED', { problem: 'none was sent' });
    const hash = hashSecret(text);
    const cached = known.get(hash);
    if (cached && cached.until > clock.monotonicMs()) return cached.record;
    const record = await store.tokenByHash(hash);
    if (!record || !sameHash(record.hash, hash) || (text.startsWith(PROBE_PREFIX) && record.role !== 'probe'))
      throw backendErrors.create('VW_BACKEND_UNAUTHENTICATED', { problem: 'it is not known, or was revoked' });
    known.set(hash, { record, until: clock.monotonicMs() + KNOWN_MS });
    return record;
  }

  function touch(record: TokenRecord): void {
    const at = clock.now();
    if (at - (used.get(record.tokenId) ?? record.lastUsedAt ?? 0) < USED_EVERY_MS) return;
    used.set(record.tokenId, at);
    store.write([{ kind: 'token.used', tokenId: record.tokenId, at }], 'soon');
  }

  return {
    async create({ name, role }) {
      const token = createSecret(role);
      const createdAt = clock.now();
      const record: TokenRecord = { tokenId: createId(createdAt), name, role, hash: hashSecret(token), createdAt };
      if (!(await store.addToken(record))) throw backendErrors.create('VW_BACKEND_NAME_TAKEN', { name });
      return { record, token };
    },
    async require(text, needed) {
      const record = await find(text);
      demandRole(record, needed);
      touch(record);
      return record;
    },
    async revoke(tokenId) {
      known.clear();
      const revoked = await store.revokeToken(tokenId);
      known.clear(); // Also what a request put there meanwhile.
      return revoked;
    },
  };
}

/** Throws VW_BACKEND_FORBIDDEN unless the token has at least the role. */
export function demandRole({ name, role }: TokenRecord, needed: http.Role): void {
  if (rank(role) < rank(needed)) throw backendErrors.create('VW_BACKEND_FORBIDDEN', { name, role, needed });
}

function rank(role: http.Role): number {
  return http.ROLES.indexOf(role);
}
