// Certificates from the lab's own authority, which is the one that the deployer makes and keeps in the lab's folder; also such
// as nobody should serve.
import { cp, mkdtemp, rm } from 'node:fs/promises';
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
