// The operator's way in after a first install: a token made on the backend, kept in this user's contexts (0600).
import { X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { hostname, userInfo } from 'node:os';
import { readContexts, saveContext } from '../../agents/runtime/index.ts';
import type { DeployContext, JudgedHost } from './hosts.ts';

/** Creates an admin token and saves the context; gives what to tell, or undefined when there was one already. */
export async function welcomeOperator(
  backend: JudgedHost,
  context: DeployContext,
  options: { readonly force: boolean },
): Promise<string | undefined> {
  const { inventory, env, tls } = context;
  const { name, serverName } = inventory.project;
  const known = (await readContexts(env)).contexts[name] !== undefined;
  if (!options.force && known) return undefined;
  const who = `${userInfo().username}@${hostname()}`;
  const token = await backend.link.request<string>('create-token', { role: 'admin', name: who });
  const { port } = inventory.backend.nginx;
  const suffix = port === 443 ? '' : `:${port}`;
  // By address only where the name does not resolve and the certificate is for the address too.
  const { address } = backend.plan;
  const covered = isIP(address) !== 0 && new X509Certificate(tls.certificatePem).checkIP(address) !== undefined;
  const place = covered && !(await resolves(serverName)) ? bracketed(address) : serverName;
  const url = `https://${place}${suffix}`;
  await saveContext(env, { name, url, token, trust: tls.trustPem });
  return `operator context "${name}" → ${url}   (viworks gateways)`;
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
