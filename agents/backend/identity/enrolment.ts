// Enrolment: a one-time token lets a gateway register the public half of a key that never leaves it.
import { createPublicKey } from 'node:crypto';
import type { Clock } from '../../runtime/index.ts';
import { backendErrors } from '../errors.ts';
import type { Store } from '../storage/store.ts';
import { createSecret, hashSecret } from './secrets.ts';

/** Enrolment of gateways. */
export interface Enrolment {
  createToken(request: { gatewayId: string; ttlSeconds: number }): Promise<{ token: string; expiresAt: number }>;
  /** Throws VW_BACKEND_ENROLMENT_REFUSED. Gives the id that the token was made for. */
  enrol(request: { token: string; publicKey: string; fingerprint: string }): Promise<string>;
}

const PROBLEMS = {
  unknown: 'it is not known',
  used: 'it was used before',
  expired: 'it has expired',
} as const;

/** Creates the part that enrols. */
export function createEnrolment(deps: { store: Store; clock: Clock }): Enrolment {
  const { store, clock } = deps;
  return {
    async createToken({ gatewayId, ttlSeconds }) {
      const token = createSecret();
      const createdAt = clock.now();
      const expiresAt = createdAt + ttlSeconds * 1000;
      await store.addEnrolment({ hash: hashSecret(token), gatewayId, createdAt, expiresAt });
      return { token, expiresAt };
    },
    async enrol({ token, publicKey, fingerprint }) {
      if (!isEd25519(publicKey))
        throw backendErrors.create('VW_BACKEND_INVALID', {
          problems: 'publicKey: expected an Ed25519 SPKI in DER, base64',
        });
      const { outcome, gatewayId } = await store.enrol({
        tokenHash: hashSecret(token),
        publicKey,
        fingerprint,
        at: clock.now(),
      });
      if (outcome !== 'enrolled' || gatewayId === undefined)
        throw backendErrors.create('VW_BACKEND_ENROLMENT_REFUSED', {
          problem: outcome === 'enrolled' ? PROBLEMS.unknown : PROBLEMS[outcome],
          ...(gatewayId === undefined ? {} : { gateway: gatewayId }),
        });
      return gatewayId;
    },
  };
}

function isEd25519(publicKey: string): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519';
  } catch {
    return false;
  }
}
