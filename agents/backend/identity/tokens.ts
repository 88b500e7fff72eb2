// API tokens and who they stand for. Every check reads the store, so that a token made or revoked by another process counts at once.
import { http } from '../../protocol/index.ts';
import type { Clock } from '../../runtime/index.ts';
import { createId } from '../commands/ids.ts';
import { backendErrors } from '../errors.ts';
import type { TokenRecord } from '../storage/records.ts';
import type { Store } from '../storage/store.ts';
import { createSecret, hashSecret, sameHash } from './secrets.ts';

/** How exact `lastUsedAt` is: a write per request would cost more than the request. */
const USED_EVERY_MS = 60_000;

/** Tokens. */
export interface Tokens {
  /** Makes a token; its text is in the answer and nowhere else. Throws VW_BACKEND_NAME_TAKEN. */
  create(request: { name: string; role: http.Role }): Promise<{ record: TokenRecord; token: string }>;
  /** The token behind a text, if it has at least the role; throws VW_BACKEND_UNAUTHENTICATED or VW_BACKEND_FORBIDDEN. */
  require(text: string | undefined, role: http.Role): Promise<TokenRecord>;
}

/** Creates the part that knows tokens. */
export function createTokens(deps: { store: Store; clock: Clock }): Tokens {
  const { store, clock } = deps;
  const used = new Map<string, number>();

  async function find(text: string | undefined): Promise<TokenRecord> {
    if (text === undefined || text === '')
      throw backendErrors.create('VW_BACKEND_UNAUTHENTICATED', { problem: 'none was sent' });
    const hash = hashSecret(text);
    const record = await store.tokenByHash(hash);
    if (!record || !sameHash(record.hash, hash))
      throw backendErrors.create('VW_BACKEND_UNAUTHENTICATED', { problem: 'it is not known, or was revoked' });
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
      const token = createSecret();
      const createdAt = clock.now();
      const record: TokenRecord = { tokenId: createId(createdAt), name, role, hash: hashSecret(token), createdAt };
      if (!(await store.addToken(record))) throw backendErrors.create('VW_BACKEND_NAME_TAKEN', { name });
      return { record, token };
    },
    async require(text, needed) {
      const record = await find(text);
      if (rank(record.role) < rank(needed))
        throw backendErrors.create('VW_BACKEND_FORBIDDEN', { name: record.name, role: record.role, needed });
      touch(record);
      return record;
    },
  };
}

function rank(role: http.Role): number {
  return http.ROLES.indexOf(role);
}
