// Faults of certificates and trust.
import { issueCertificate, issueThroughIntermediate } from '../certificates.ts';
import { changeVhost, configOf, gatewayUnit, restartGateway, vhostBack } from '../places.ts';
import { serverName } from '../seed.ts';
import { inTlsServer } from '../vhost.ts';
import { gatewayConnected, upgradeThroughNginx } from '../witness.ts';
import type { Workbench } from '../workbench.ts';
import type { Break } from './break.ts';
import { onlyGatewayCut } from './network.ts';

const certificateFile = '/etc/ssl/private/agents.pem';

interface Wish {
  readonly name: string;
  readonly shiftDays?: number;
}

/** Writes another certificate of the same authority, with its key. */
async function putCertificate(bench: Workbench, wish: Wish): Promise<void> {
  const issued = await issueCertificate({ dir: bench.dir, ...wish });
  await bench.write('be1', certificateFile, issued.certificatePem + issued.keyPem);
}

async function serveCertificate(bench: Workbench, wish: Wish): Promise<void> {
  await putCertificate(bench, wish);
  await changeVhost(bench, (text) => text.replace(/(ssl_certificate(?:_key)?\s+)[^;]+;/g, `$1${certificateFile};`));
  await restartGateway(bench);
}

async function served(bench: Workbench): Promise<string> {
  const text = await bench.run(
    'be1',
    `echo | openssl s_client -connect 127.0.0.1:443 -servername ${serverName} 2>/dev/null | openssl x509 -noout -dates -ext subjectAltName`,
  );
  return text.trim().replaceAll(/\s+/g, ' ');
}

function certificateBreak(id: string, what: string, wish: Wish): Break {
  return {
    id,
    what,
    form: 'systemd',
    inject: (bench) => serveCertificate(bench, wish),
    witness: async (bench) => ((await gatewayConnected(bench)) ? undefined : `nginx serves ${await served(bench)}`),
    mend: vhostBack,
  };
}

/** nginx serves a certificate that was issued through an intermediate: with it, or without. */
function chainBreak(id: string, what: string, of: { readonly days: number; readonly whole: boolean }): Break {
  return {
    id,
    what,
    form: 'systemd',
    inject: async (bench) => {
      const chain = await issueThroughIntermediate({ dir: bench.dir, name: serverName, intermediateDays: of.days });
      await bench.write('be1', certificateFile, chain.leaf + (of.whole ? chain.intermediate : '') + chain.key);
      await changeVhost(bench, (text) => text.replace(/(ssl_certificate(?:_key)?\s+)[^;]+;/g, `$1${certificateFile};`));
      await restartGateway(bench);
    },
    witness: async (bench) => ((await gatewayConnected(bench)) ? undefined : `nginx serves ${await served(bench)}`),
    mend: vhostBack,
  };
}

export const tlsBreaks: readonly Break[] = [
  chainBreak('TLS-04', 'the intermediate is not served with the certificate', { days: 90, whole: false }),
  chainBreak('TLS-14', 'the intermediate has expired, the certificate has not', { days: 0, whole: true }),
  certificateBreak('TLS-01', 'the certificate has expired', { name: serverName, shiftDays: -400 }),
  certificateBreak('TLS-03', 'the certificate is for another name', { name: 'www.example.test' }),
  certificateBreak('TLS-15', 'the certificate is valid from the day after tomorrow on', {
    name: serverName,
    shiftDays: 2,
  }),
  {
    id: 'TLS-02',
    what: 'the certificate was renewed, nginx still serves the expired one',
    form: 'systemd',
    inject: async (bench) => {
      await serveCertificate(bench, { name: serverName, shiftDays: -400 });
      await putCertificate(bench, { name: serverName });
    },
    witness: async (bench) => {
      const onDisk = (await bench.attempt('be1', `openssl x509 -noout -checkend 0 -in ${certificateFile}`)).code === 0;
      return onDisk && !(await gatewayConnected(bench))
        ? `valid on disk, while nginx serves ${await served(bench)}`
        : undefined;
    },
    mend: vhostBack,
  },
  {
    id: 'TLS-06',
    what: 'nginx demands a client certificate, and the gateway has none',
    form: 'systemd',
    inject: async (bench) => {
      const issued = await issueCertificate({ dir: bench.dir, name: serverName });
      await bench.write('be1', '/etc/ssl/certs/clients.pem', issued.trustPem);
      await changeVhost(bench, (text) =>
        inTlsServer(text, 'ssl_client_certificate /etc/ssl/certs/clients.pem; ssl_verify_client on;'),
      );
      await restartGateway(bench);
    },
    witness: async (bench) =>
      (await upgradeThroughNginx(bench)) === 400 ? 'an upgrade without a client certificate gives 400' : undefined,
    mend: vhostBack,
  },
  {
    id: 'TLS-05',
    what: 'the gateway does not know the authority that signed the certificate',
    form: 'systemd',
    inject: async (bench) => {
      const config = await configOf(bench, 'gw1', gatewayUnit);
      const file = (await bench.run('gw1', `sed -n 's/^trust_file *= *"\\(.*\\)"/\\1/p' ${config}`)).trim();
      if (!file) throw new Error(`${config} names no trust_file`);
      const other = await bench.run(
        'gw1',
        'openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=Another CA" -keyout /dev/null 2>/dev/null',
      );
      await bench.write('gw1', file, other);
      await restartGateway(bench);
    },
    witness: onlyGatewayCut,
    mend: restartGateway,
  },
];

/** Soon is not yet: twelve days are left. */
export const tlsTraps: readonly Break[] = [
  {
    id: 'TRAP-CERTIFICATE-SOON',
    what: 'the certificate expires in twelve days',
    form: 'systemd',
    inject: (bench) => serveCertificate(bench, { name: serverName, shiftDays: -385 }),
    witness: async (bench) =>
      (await gatewayConnected(bench)) ? `connected; nginx serves ${await served(bench)}` : undefined,
    mend: vhostBack,
  },
];
