// Enrolment at the start of the agent: finds the one-time token, and tries until the backend has taken the key or said no.
import { join } from 'node:path';
import { limits } from '../../protocol/index.ts';
import {
  backoffMs,
  type Clock,
  exists,
  fromUnknown,
  type Logger,
  readSecretFile,
  ViworksError,
} from '../../runtime/index.ts';
import { gatewayErrors } from '../errors.ts';
import { MESSAGES } from '../messages.ts';
import { enrol } from './enrol.ts';
import { type Identity, markEnrolled } from './identity.ts';

/** File of the one-time token: the configured one, else systemd's credential, else none. */
export async function findToken(
  options: { readonly configured: string | undefined; readonly credentialsDirectory: string | undefined },
  signal: AbortSignal,
): Promise<string | undefined> {
  signal.throwIfAborted();
  if (options.configured !== undefined) return options.configured;
  if (options.credentialsDirectory === undefined) return undefined;
  const file = join(options.credentialsDirectory, 'enrolment-token');
  return (await exists(file)) ? file : undefined;
}

/** What enrolment at the start needs. */
export interface EnrolmentDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly url: string;
  readonly ca: string | undefined;
  readonly identity: Identity;
  readonly fingerprint: string;
  readonly stateDir: string;
  /** Undefined when there is none: then only an enrolled identity can go on. */
  readonly tokenFile: string | undefined;
  readonly configFile: string;
  readonly random: () => number;
}

/** Throws VW_GATEWAY_NOT_ENROLLED when there is neither an enrolled identity nor a token. */
export function requireEnrolment(deps: Pick<EnrolmentDeps, 'identity' | 'tokenFile' | 'configFile'>): void {
  if (deps.identity.enrolled || deps.tokenFile !== undefined) return;
  throw gatewayErrors.create('VW_GATEWAY_NOT_ENROLLED', { gateway: deps.identity.gatewayId, config: deps.configFile });
}

/**
 * Enrols if need be; with back-off while the backend cannot be reached. Gives the backend's refusal, which is the last word only if
 * the key is not known either: the token may have been used by this very agent, which then died before it could write that down.
 */
export async function ensureEnrolled(deps: EnrolmentDeps, signal: AbortSignal): Promise<ViworksError | undefined> {
  if (deps.identity.enrolled || deps.tokenFile === undefined) return undefined;
  const token = await readSecretFile('enrolment token', deps.tokenFile);
  const { url, ca, fingerprint, identity, logger } = deps;
  for (let attempt = 0; ; attempt++) {
    try {
      await enrol(
        { url, ca, fingerprint, gatewayId: identity.gatewayId, publicKey: identity.publicKey, token },
        signal,
      );
      await markEnrolled(deps.stateDir, deps.clock.now(), signal);
      logger.info(MESSAGES.enrolled, { gateway: identity.gatewayId });
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ViworksError)) throw error;
      if (error.code === 'VW_GATEWAY_ENROLMENT_REFUSED') return error;
      if (error.retry === 'never') throw error;
      if (attempt === 0) logger.failure(MESSAGES.enrolmentRetried, fromUnknown(error));
      const growth = { baseMs: limits.RECONNECT_BASE_MS, capMs: limits.RECONNECT_CAP_MS, random: deps.random };
      await deps.clock.sleep(backoffMs(attempt, growth), signal);
    }
  }
}
