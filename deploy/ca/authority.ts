// The project's own certificate authority: a P-256 key (0600, never sent anywhere), and server certificates for one name.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { type Clock, describe, errnoOf, replaceFile } from '../../agents/runtime/index.ts';
import { caErrors } from './errors.ts';

/** A certificate with its key, in PEM. */
export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly keyPem: string;
  /** What clients have to trust. */
  readonly trustPem: string;
  readonly notAfter: number;
}

/** What issuing needs. */
export interface IssueOptions {
  /** Where the authority lives; made at the first use. */
  readonly caDir: string;
  /** Shown in the authority's subject. */
  readonly project: string;
  /** DNS names and IP addresses; the first is the common name. */
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
// Browsers and most clients refuse server certificates that live longer.
const SERVER_DAYS = 397;
const RENEW_DAYS = 30;
// Clocks of hosts may lag: a certificate that starts now would not be valid there yet.
const BACKDATE_MS = 3_600_000;

/**
 * Gives the server certificate for these names: the kept one while it fits and has 30 days left, else a new one.
 * So that a second deploy changes nothing, key and certificate are kept in `caDir`.
 */
export async function issueServerCertificate(options: IssueOptions): Promise<IssuedCertificate> {
  const { caDir, names, signal } = options;
  try {
    await mkdir(caDir, { recursive: true, mode: 0o700 });
    const authority = await openAuthority(options);
    const base = join(caDir, `server-${fileSafe(names[0] as string)}`);
    const kept = await readPair(base, signal);
    if (kept && fits(kept.certificatePem, authority.certificatePem, options)) return issued(kept, authority);
    const made = await makeServerPair(authority, options);
    await writePair(base, made, signal);
    return issued(made, authority);
  } catch (error) {
    signal.throwIfAborted();
    throw caErrors.create('VW_CA_UNUSABLE', { directory: caDir, reason: describe(error) }, error);
  }
}

interface Pair {
  readonly certificatePem: string;
  readonly keyPem: string;
}

function issued(pair: Pair, authority: Pair): IssuedCertificate {
  const { certificatePem, keyPem } = pair;
  const notAfter = new x509.X509Certificate(certificatePem).notAfter.getTime();
  return { certificatePem, keyPem, trustPem: authority.certificatePem, notAfter };
}

async function openAuthority(options: IssueOptions): Promise<Pair> {
  const base = join(options.caDir, 'ca');
  const kept = await readPair(base, options.signal);
  if (kept) return kept;
  const keys = await makeKeys();
  const now = options.clock.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=viworks authority of ${options.project}`,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + CA_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      // Path length 0: it signs servers, never another authority.
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const made = { certificatePem: pem(certificate), keyPem: await exportKey(keys.privateKey) };
  await writePair(base, made, options.signal);
  return made;
}

async function makeServerPair(authority: Pair, options: IssueOptions): Promise<Pair> {
  const issuer = new x509.X509Certificate(authority.certificatePem);
  const der = x509.PemConverter.decodeFirst(authority.keyPem);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
  const keys = await makeKeys();
  const now = options.clock.now();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: `CN=${options.names[0]}`,
    issuer: issuer.subject,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(Math.min(now + SERVER_DAYS * DAY_MS, issuer.notAfter.getTime())),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        options.names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name }) as const),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pem(certificate), keyPem: await exportKey(keys.privateKey) };
}

function fits(certificatePem: string, authorityPem: string, options: IssueOptions): boolean {
  const certificate = new x509.X509Certificate(certificatePem);
  const authority = new x509.X509Certificate(authorityPem);
  if (certificate.issuer !== authority.subject) return false;
  const keyId = certificate.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId;
  if (keyId !== authority.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId) return false;
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items.map((name) => name.value);
  if (!options.names.every((name) => names?.includes(name))) return false;
  return certificate.notAfter.getTime() - options.clock.now() > RENEW_DAYS * DAY_MS;
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  return `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`;
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

// Positive and 127 bits long, as RFC 5280 wants it.
function serial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

function fileSafe(name: string): string {
  return name.replace(/[^A-Za-z0-9.-]/g, '_');
}

async function readPair(base: string, signal: AbortSignal): Promise<Pair | undefined> {
  try {
    const [certificatePem, keyPem] = await Promise.all([
      readFile(`${base}.crt`, { encoding: 'utf8', signal }),
      readFile(`${base}.key`, { encoding: 'utf8', signal }),
    ]);
    return { certificatePem, keyPem };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

// The key first: a pair is complete when its certificate is there.
async function writePair(base: string, pair: Pair, signal: AbortSignal): Promise<void> {
  for (const [file, content, mode] of [
    [`${base}.key`, pair.keyPem, 0o600],
    [`${base}.crt`, pair.certificatePem, 0o644],
  ] as const) {
    signal.throwIfAborted();
    await replaceFile(file, content, { mode });
  }
}
