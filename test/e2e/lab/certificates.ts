// Certificates from the lab's own authority, which is the one that the deployer makes and keeps in the lab's folder; also such
// as nobody should serve.
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../../agents/runtime/index.ts';
import { type IssuedCertificate, issueServerCertificate } from '../../../deploy/ca/authority.ts';

const dayMs = 86_400_000;

export interface CertificateWish {
  /** The lab's folder. */
  readonly dir: string;
  readonly name: string;
  /** Whole days by which its validity is moved; the server certificates of the authority live for 397. */
  readonly shiftDays?: number;
}

/** Issues a certificate without touching the one that the authority keeps for the deployer. */
export async function issueCertificate({ dir, name, shiftDays = 0 }: CertificateWish): Promise<IssuedCertificate> {
  const signal = AbortSignal.timeout(10_000);
  const caDir = path.join(dir, 'ca');
  // The authority itself must not be shifted, so it is made first if it is not there.
  await issueServerCertificate({ caDir, project: 'lab', names: [name], clock: systemClock, signal });
  const scratch = await mkdtemp(path.join(tmpdir(), 'viworks-lab-ca-'));
  try {
    for (const file of ['ca.key', 'ca.crt']) await cp(path.join(caDir, file), path.join(scratch, file));
    const clock = { ...systemClock, now: () => systemClock.now() + shiftDays * dayMs };
    return await issueServerCertificate({ caDir: scratch, project: 'lab', names: [name], clock, signal });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

export interface ChainWish {
  readonly dir: string;
  readonly name: string;
  /** Days that the intermediate still lives; with 0 it ends in the second in which it is made. */
  readonly intermediateDays: number;
}

/** A certificate that the lab's authority issued through an intermediate: leaf, intermediate and the leaf's key as PEM. */
export async function issueThroughIntermediate(
  wish: ChainWish,
): Promise<{ readonly leaf: string; readonly intermediate: string; readonly key: string }> {
  const caDir = path.join(wish.dir, 'ca');
  const scratch = await mkdtemp(path.join(tmpdir(), 'viworks-lab-chain-'));
  const openssl = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { cwd: scratch, stdio: ['ignore', 'ignore', 'pipe'] });
  const request = (who: string, subject: string): void =>
    openssl(...`req -newkey rsa:2048 -nodes -subj /CN=${subject} -keyout ${who}.key -out ${who}.csr`.split(' '));
  const signed = (who: string, issuer: readonly [string, string], days: readonly string[]): void =>
    openssl(
      'x509',
      '-req',
      '-in',
      `${who}.csr`,
      '-CA',
      issuer[0],
      '-CAkey',
      issuer[1],
      '-CAcreateserial',
      '-extfile',
      `${who}.ext`,
      '-out',
      `${who}.pem`,
      ...days,
    );
  try {
    await writeFile(path.join(scratch, 'int.ext'), 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n');
    await writeFile(path.join(scratch, 'leaf.ext'), `subjectAltName=DNS:${wish.name}\n`);
    for (const file of ['ca.key', 'ca.crt']) await cp(path.join(caDir, file), path.join(scratch, file));
    request('int', 'lab-intermediate');
    request('leaf', wish.name);
    signed('int', ['ca.crt', 'ca.key'], ['-days', String(wish.intermediateDays)]);
    signed('leaf', ['int.pem', 'int.key'], ['-days', '90']);
    const read = (file: string): Promise<string> => readFile(path.join(scratch, file), 'utf8');
    return { leaf: await read('leaf.pem'), intermediate: await read('int.pem'), key: await read('leaf.key') };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
