// Real chains: root → intermediate → leaf, each with dates of its own. The code of the verifier must lead to the right one of them.
import 'reflect-metadata';
import { X509Certificate as NodeCertificate, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { beforeAll, expect, test } from 'vitest';
import { culpritOf } from './chain.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 20);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

interface Made {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

async function issue(name: string, by: Made | null, days: readonly [from: number, to: number]): Promise<Made> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: by ? by.certificate.subject : `CN=${name}`,
    notBefore: new Date(now + days[0] * day),
    notAfter: new Date(now + days[1] * day),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: (by ?? { keys }).keys.privateKey,
    extensions: [new x509.BasicConstraintsExtension(name !== 'leaf')],
  });
  return { certificate, keys };
}

const pem = (of: Made): string => of.certificate.toString('pem');
const seen = (verification: string, served: readonly Made[], trusted: Made) => ({
  verification,
  served: served.map((one) => new NodeCertificate(pem(one))),
  trust: pem(trusted),
  nowMs: now,
});

let root: Made;
let oldRoot: Made;
let intermediate: Made;
let oldIntermediate: Made;
beforeAll(async () => {
  x509.cryptoProvider.set(webcrypto);
  root = await issue('root', null, [-900, 900]);
  oldRoot = await issue('old root', null, [-900, -1]);
  intermediate = await issue('intermediate', root, [-300, 300]);
  oldIntermediate = await issue('old intermediate', root, [-300, -1]);
});

test('the leaf', async () => {
  const leaf = await issue('leaf', intermediate, [-90, -1]);
  const found = culpritOf(seen('CERT_HAS_EXPIRED', [leaf, intermediate], root));
  expect(found).toMatchObject({ depth: 0, place: 'served', certificate: { subject: 'CN=leaf' } });
});

test('an intermediate that is served', async () => {
  const leaf = await issue('leaf', oldIntermediate, [-90, 90]);
  const found = culpritOf(seen('CERT_HAS_EXPIRED', [leaf, oldIntermediate], root));
  expect(found).toMatchObject({ depth: 1, place: 'served', certificate: { subject: 'CN=old intermediate' } });
});

test('a root of the trust file', async () => {
  const leaf = await issue('leaf', oldRoot, [-90, 90]);
  expect(culpritOf(seen('CERT_HAS_EXPIRED', [leaf], oldRoot))).toMatchObject({ depth: 1, place: 'trust' });
});

test('not yet valid', async () => {
  const leaf = await issue('leaf', intermediate, [2, 90]);
  expect(culpritOf(seen('CERT_NOT_YET_VALID', [leaf, intermediate], root))).toMatchObject({ depth: 0 });
});

test('whose issuer is nowhere: the leaf alone, or the last one that was served', async () => {
  const leaf = await issue('leaf', intermediate, [-90, 90]);
  expect(culpritOf(seen('UNABLE_TO_VERIFY_LEAF_SIGNATURE', [leaf], root))).toMatchObject({ depth: 0 });
  const stray = culpritOf(seen('UNABLE_TO_GET_ISSUER_CERT_LOCALLY', [leaf, intermediate], oldRoot));
  expect(stray).toMatchObject({ depth: 1, place: 'served', certificate: { subject: 'CN=intermediate' } });
});

test('a name that does not fit is about no certificate of the chain', async () => {
  const leaf = await issue('leaf', intermediate, [-90, 90]);
  expect(culpritOf(seen('ERR_TLS_CERT_ALTNAME_INVALID', [leaf, intermediate], root))).toBeNull();
  expect(culpritOf(seen('CERT_HAS_EXPIRED', [], root))).toBeNull();
});
