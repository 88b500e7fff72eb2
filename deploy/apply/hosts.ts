// Opens every host of an inventory at once: one connection and one exec each, facts, and the release that each should run.
import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { type Clock, describe } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import type { HostPlan, Inventory } from '../inventory/index.ts';
import { LAYOUT } from '../plan/layout.ts';
import type { HostFacts, ReleaseParcel } from '../plan/manifest.ts';
import { planRelease } from '../plan/release.ts';
import type { Templates } from '../plan/render.ts';
import type { Artefacts, RuntimeLayer } from '../release/artefacts.ts';
import { openRemote, type Questions } from '../remote/index.ts';
import { compareHost, type HostChange } from './compare.ts';
import { type BareFacts, type HostLink, openLink } from './host-link.ts';
import type { Reached } from './interrupted.ts';
import type { Progress } from './progress.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What opening hosts needs. */
export interface OpenContext {
  readonly inventory: Inventory;
  readonly progress: Progress;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly env: Env;
  /** Where a person can answer what ssh asks. */
  readonly questions?: Questions | undefined;
}

/** What every phase of a deploy is handed. */
export interface DeployContext extends OpenContext {
  readonly artefacts: Artefacts;
  readonly templates: Templates;
  readonly tls: TlsMaterial;
  readonly reached: Reached;
}

/** Certificate, key and trust as they are rendered and sent. */
export interface TlsMaterial {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly keyName: string;
  readonly trustPem: string | undefined;
}

/** One host, open. */
export interface OpenHost {
  readonly name: string;
  readonly plan: HostPlan;
  readonly link: HostLink;
}

/** One host with what it is and what it should become. */
export interface JudgedHost extends OpenHost {
  readonly facts: HostFacts | undefined;
  readonly runtime: RuntimeLayer;
  readonly helper: { readonly content: Buffer; readonly digest: string };
  readonly parcel: ReleaseParcel;
  readonly change: HostChange;
}

/** Names of the hosts that an inventory puts something on; the backend's first. */
export function hostNames(inventory: Inventory): string[] {
  return [...new Set([inventory.backend.host, ...inventory.gateways.map((gateway) => gateway.host)])];
}

/** Opens hosts in parallel. When one cannot be opened, the others are closed again and every reason is told. */
export async function openHosts(names: readonly string[], context: OpenContext): Promise<OpenHost[]> {
  const opened = await Promise.allSettled(names.map((name) => openHost(name, context)));
  const failures = opened.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  if (failures.length === 0) return opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  await Promise.all(opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value.link.close()] : [])));
  throw failures.length === 1 ? failures[0] : new AggregateError(failures);
}

async function openHost(name: string, context: OpenContext): Promise<OpenHost> {
  const { inventory, clock, signal, env, progress, questions } = context;
  const plan = inventory.hosts[name] as HostPlan;
  const remote = await openRemote(plan, { signal, clock, env, questions });
  try {
    const note = (step: string, detail: string): void =>
      progress.event({ host: name, phase: 'activate', step, status: 'note', detail });
    return { name, plan, link: await openLink(remote, { clock, signal, note }) };
  } catch (error) {
    await remote.close();
    throw error;
  }
}

/** Reads facts, renders the release and compares. */
export async function judgeHost(host: OpenHost, context: DeployContext): Promise<JudgedHost> {
  const { artefacts, inventory, templates, tls } = context;
  const bare = host.link.bare();
  const facts = bare ? undefined : await host.link.request<HostFacts>('facts');
  refuseWrongMachine(host, facts?.machineId ?? bare?.machineId ?? '');
  const runtime = await artefacts.runtime(facts?.architecture ?? bare?.arch ?? '');
  const withNginx = inventory.backend.host === host.name;
  const parcel = planRelease({
    inventory,
    host: host.name,
    templates,
    version: artefacts.version,
    revision: artefacts.revision,
    committedAt: artefacts.committedAt,
    app: artefacts.app,
    runtime: runtime.digest,
    certificate: withNginx ? { pem: tls.certificatePem, keyName: tls.keyName } : undefined,
    trust: tls.trustPem,
    seen: { nginxVersion: facts?.nginx?.version || guessNginx(facts, bare), ipv6: facts?.ipv6 ?? bare?.ipv6 === 'yes' },
    sha256: (content) => createHash('sha256').update(content).digest('hex'),
  });
  const helper = artefacts.helper(runtime.digest);
  const packages = inventory.backend.nginx.install ? ['nginx'] : [];
  const plain = compareHost({ facts, parcel, helper: helper.digest, packages, before: {} });
  const changed = plain.files.filter((file) => file.kind === 'changed').map((file) => file.path);
  const before = changed.length > 0 ? await readBefore(host.link, changed) : {};
  const edited = await readEdited(host.link, facts);
  const change = compareHost({ facts, parcel, helper: helper.digest, packages, before, edited });
  return { ...host, facts, runtime, helper, parcel, change };
}

// The helper reads below `current` only, and that is where the release with the edit is.
async function readEdited(link: HostLink, facts: HostFacts | undefined): Promise<Record<string, string | null>> {
  const paths = (facts?.drift ?? []).filter((entry) => entry.what === 'edited').map((entry) => entry.path);
  if (paths.length === 0) return {};
  const seen = (path: string): string => path.replace(/^\/opt\/viworks\/releases\/[^/]+/, LAYOUT.current);
  const files = await link.request<Record<string, string | null>>('read-files', { paths: paths.map(seen) });
  return Object.fromEntries(paths.map((path) => [path, files[seen(path)] ?? null]));
}

async function readBefore(link: HostLink, paths: readonly string[]): Promise<Record<string, string | null>> {
  const files = await link.request<Record<string, string | null>>('read-files', {
    paths: paths.map((path) => `${LAYOUT.current}/${path}`),
  });
  return Object.fromEntries(paths.map((path) => [path, files[`${LAYOUT.current}/${path}`] ?? null]));
}

// What Debian will install; the version is looked at again once it is there.
function guessNginx(facts: HostFacts | undefined, bare: BareFacts | undefined): string | undefined {
  if (bare?.nginx) return bare.nginx;
  const release = Number(facts?.osVersion ?? bare?.osVersion ?? 12);
  return release >= 13 ? '1.26.0' : '1.22.0';
}

function refuseWrongMachine(host: OpenHost, actual: string): void {
  const expected = host.plan.machineId;
  if (expected === undefined || expected === actual) return;
  throw deployErrors.create('VW_DEPLOY_MACHINE', { host: host.name, expected, actual });
}

/** Reads or issues what TLS needs. */
export async function loadTls(
  inventory: Inventory,
  parts: { clock: Clock; signal: AbortSignal },
): Promise<TlsMaterial> {
  const { tls, project } = inventory;
  if (tls.source === 'files') return readTlsFiles(tls, inventory);
  if (tls.source === 'acme') throw unsupported('tls.source', 'acme', '"built-in-ca" or "files"');
  const { issueServerCertificate } = await import('../ca/authority.ts');
  const address = inventory.hosts[inventory.backend.host]?.address ?? '';
  const issued = await issueServerCertificate({
    caDir: tls.caDir,
    project: project.name,
    // An operator may reach the API by the host's address where the name does not resolve.
    names: [project.serverName, ...(isIP(address) === 0 ? [] : [address])],
    ...parts,
  });
  return { ...issued, keyName: keyNameOf(issued.keyPem) };
}

async function readTlsFiles(
  tls: Extract<Inventory['tls'], { source: 'files' }>,
  inventory: Inventory,
): Promise<TlsMaterial> {
  const read = (file: string): Promise<string> =>
    readFile(file, 'utf8').catch((error: unknown) => {
      throw tlsError(`cannot read ${file}: ${describe(error)}`, `check the paths under [tls] in ${inventory.file}`);
    });
  const [leaf, keyPem, chain, trustPem] = await Promise.all([
    read(tls.certificate),
    read(tls.key),
    tls.chain === undefined ? '' : read(tls.chain),
    tls.trust === undefined ? undefined : read(tls.trust),
  ]);
  const certificate = new X509Certificate(leaf);
  const name = inventory.project.serverName;
  const { createPrivateKey } = await import('node:crypto');
  if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) {
    throw tlsError(
      `${tls.key} is not the key of ${tls.certificate}`,
      'name the key that the certificate was issued for',
    );
  }
  if (certificate.checkHost(name) === undefined) {
    const names = certificate.subjectAltName ?? certificate.subject;
    throw tlsError(
      `${tls.certificate} is not for ${name}, but for ${names}`,
      'bring a certificate for project.server_name',
    );
  }
  return { certificatePem: `${leaf.trimEnd()}\n${chain}`, keyPem, keyName: keyNameOf(keyPem), trustPem };
}

function keyNameOf(keyPem: string): string {
  return `tls.key.${createHash('sha256').update(keyPem).digest('hex').slice(0, 12)}`;
}

function tlsError(problem: string, remedy: string): Error {
  return deployErrors.create('VW_DEPLOY_TLS', { problem, remedy });
}

/** What an inventory may say and this deployer does not do yet; told before anything connects. */
export function refuseUnsupported(inventory: Inventory): void {
  const { backend, tls, hosts } = inventory;
  if (backend.store !== 'sqlite') throw unsupported('backend.store', backend.store, '"sqlite"');
  if (backend.nginx.mode !== 'own-vhost') throw unsupported('backend.nginx.mode', backend.nginx.mode, '"own-vhost"');
  if (backend.nginx.clientCertificates !== 'off') {
    throw unsupported('backend.nginx.client_certificates', backend.nginx.clientCertificates, '"off"');
  }
  if (tls.source === 'acme') throw unsupported('tls.source', 'acme', '"built-in-ca" or "files"');
  for (const name of hostNames(inventory)) {
    const host = hosts[name] as HostPlan;
    if (host.runtime !== 'systemd') throw unsupported(`hosts.${name}.runtime`, host.runtime, '"systemd"');
  }
}

function unsupported(key: string, value: string, instead: string): Error {
  return deployErrors.create('VW_DEPLOY_UNSUPPORTED', { key, value, instead });
}
