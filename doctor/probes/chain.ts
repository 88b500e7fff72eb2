// Which certificate of a chain a verification code speaks of. OpenSSL's codes name none, and "expired" may be said of the leaf, of an
// intermediate or of a root in the trust file.
import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import type { Culprit } from '../engine/index.ts';
import { describeCertificate } from './nginx.ts';

export interface ChainSeen {
  readonly verification: string;
  /** As served, leaf first. */
  readonly served: readonly X509Certificate[];
  /** PEM, or undefined for the roots that Node brings. */
  readonly trust: string | undefined;
  readonly nowMs: number;
}

/** The certificate that the code is about, by the path from the leaf to the one whose issuer is nowhere; null where no rule is known. */
export function culpritOf(seen: ChainSeen): Culprit | null {
  const path = pathOf(seen);
  const last = path.at(-1);
  if (!last) return null;
  const { verification: code, nowMs } = seen;
  if (code === 'CERT_HAS_EXPIRED')
    return told(
      path.findIndex(({ certificate }) => Date.parse(certificate.validTo) < nowMs),
      path,
    );
  if (code === 'CERT_NOT_YET_VALID')
    return told(
      path.findIndex(({ certificate }) => Date.parse(certificate.validFrom) > nowMs),
      path,
    );
  return issuerCodes.has(code) ? told(path.length - 1, path) : null;
}

const issuerCodes = new Set([
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

interface Step {
  readonly certificate: X509Certificate;
  readonly place: Culprit['place'];
}

/** A chain longer than this is a loop or a joke (OpenSSL's own limit is 100). */
const longest = 20;

function pathOf({ served, trust }: ChainSeen): readonly Step[] {
  const [leaf] = served;
  if (!leaf) return [];
  const anchors = certificatesIn(trust ?? rootCertificates.join('\n'));
  const path: Step[] = [{ certificate: leaf, place: 'served' }];
  while (path.length < longest) {
    const { certificate } = path[path.length - 1] as Step;
    if (certificate.checkIssued(certificate)) break;
    const anchor = anchors.find((one) => certificate.checkIssued(one));
    const next = anchor ?? served.find((one) => certificate.checkIssued(one));
    if (!next) break;
    path.push({ certificate: next, place: anchor ? 'trust' : 'served' });
    if (anchor) break;
  }
  return path;
}

function told(depth: number, path: readonly Step[]): Culprit | null {
  const step = path[depth];
  return step ? { depth, place: step.place, certificate: describeCertificate(step.certificate) } : null;
}

function certificatesIn(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return []; // One unreadable root does not make the others unknown.
    }
  });
}
