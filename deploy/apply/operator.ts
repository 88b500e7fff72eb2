// The operator's way in after a first install, and the doctor's: tokens made on the backend, kept in this user's contexts (0600).
import { randomBytes, X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { hostname, userInfo } from 'node:os';
import {
  ProbeCredential,
  readContexts,
  readSecretFile,
  saveContext,
  saveProbeToken,
} from '../../agents/runtime/index.ts';
import type { DeployContext, JudgedHost } from './hosts.ts';

/** Creates an operator's and a probe's token and saves the context; gives what to tell, or undefined when there was one already. */
export async function welcomeOperator(
  backend: JudgedHost,
  context: DeployContext,
  options: { readonly force: boolean },
): Promise<string | undefined> {
  const { inventory, env, tls } = context;
  const { name, serverName } = inventory.project;
  const known = (await readContexts(env)).contexts[name] !== undefined;
  if (!options.force && known) return await welcomeDoctor(backend, context);
  const who = `${userInfo().username}@${hostname()}`;
  const token = await backend.link.request<string>('create-token', { role: 'operator', name: who });
  const { port } = inventory.backend.nginx;
  const suffix = port === 443 ? '' : `:${port}`;
  // By address only where the name does not resolve and the certificate is for the address too.
  const { address } = backend.plan;
  const covered = isIP(address) !== 0 && new X509Certificate(tls.certificatePem).checkIP(address) !== undefined;
  const place = covered && !(await resolves(serverName)) ? bracketed(address) : serverName;
  const url = `https://${place}${suffix}`;
  await saveContext(env, { name, url, token, probeToken: await probeToken(backend), trust: tls.trustPem });
  return `operator context "${name}" → ${url}   (viworks gateways)`;
}

/** Gives a context from before the doctor had a token of its own that token; what to tell, or undefined when there was nothing to do. */
export async function welcomeDoctor(backend: JudgedHost, context: DeployContext): Promise<string | undefined> {
  const { inventory, env } = context;
  const { name } = inventory.project;
  const known = (await readContexts(env)).contexts[name];
  if (!known || (await holdsProbeToken(known.probeTokenFile))) return undefined;
  await saveProbeToken(env, name, await probeToken(backend));
  return `operator context "${name}" now holds the doctor's own token   (viworks doctor)`;
}

// One that does not say that it is a probe's is none that the doctor would send.
async function holdsProbeToken(file: string | undefined): Promise<boolean> {
  const secret = file === undefined ? undefined : await readSecretFile('probe token', file).catch(() => undefined);
  return ProbeCredential.of(secret?.reveal() ?? '') !== undefined;
}

/** The doctor's own: it can do nothing but look at the registry and run the canary. */
function probeToken(backend: JudgedHost): Promise<string> {
  // A name is taken for good, and an earlier file may have been lost.
  const name = `doctor of ${userInfo().username}@${hostname()} ${randomBytes(4).toString('hex')}`;
  return backend.link.request<string>('create-token', { role: 'probe', name });
}

async function resolves(name: string): Promise<boolean> {
  return lookup(name).then(
    () => true,
    () => false,
  );
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
