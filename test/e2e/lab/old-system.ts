// An installation that viworks did not make: the stand-ins of the old kind, a certificate of its own small authority, a vhost
// written by hand. For the doctor on foreign systems, and for the faults while nothing is deployed.
import { cp, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { scheduler } from 'node:timers/promises';
import { issueCertificate } from './certificates.ts';
import { type HostName, repositoryRoot } from './layout.ts';
import { backendUnit, gatewayUnit, oldUnit, program, vhostFile } from './places.ts';
import { serverName } from './seed.ts';
import { healthy } from './witness.ts';
import type { Workbench } from './workbench.ts';

export interface OldSystemParts {
  readonly bench: Workbench;
  readonly dir: string;
  /** A host's mounted disk, as this machine sees it. */
  readonly rootOf: (host: HostName) => string;
  readonly say: (line: string) => void;
}

const trustFile = '/etc/old-system/ca.pem';

export interface OldVhost {
  readonly certificates: string;
  /** `host:port` of the old backend's two ports, as nginx reaches them. */
  readonly agents: string;
  readonly api: string;
}

/** The vhost as a careful administrator wrote it. */
export const oldVhost = ({ certificates, agents, api }: OldVhost) => `map $http_upgrade $connection_upgrade {
    default upgrade;
    ''      close;
}

server {
    listen 443 ssl http2;
    server_name ${serverName};
    ssl_certificate ${certificates}/server.pem;
    ssl_certificate_key ${certificates}/server.key;

    location /ws/ {
        proxy_pass http://${agents};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header Host $host;
        proxy_read_timeout 3600s;
        proxy_send_timeout 3600s;
        proxy_buffering off;
    }

    location / {
        proxy_pass http://${api};
        proxy_set_header Host $host;
    }
}
`;

const nodeFile = path.join(repositoryRoot, `node_modules/node-linux-${process.arch}/bin/node`);

export const programSource = (name: string) => readFile(path.join(repositoryRoot, 'test/programs', name), 'utf8');

/** Installs the old system on both hosts and waits until its gateway is connected. */
export async function installOldSystem(parts: OldSystemParts): Promise<void> {
  const { bench, say } = parts;
  say('be1: nginx, the old backend, a certificate');
  await bench.run(
    'be1',
    'nginx -v 2>/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q nginx-light; }',
  );
  const issued = await issueCertificate({ dir: parts.dir, name: serverName });
  await bench.write('be1', '/etc/old-system/server.pem', issued.certificatePem);
  await bench.write('be1', '/etc/old-system/server.key', issued.keyPem);
  await bench.write('be1', program('old-backend.pl'), await programSource('old-backend.pl'));
  await bench.write(
    'be1',
    `/etc/systemd/system/${backendUnit}`,
    oldUnit('viworks backend agent', `/usr/bin/perl ${program('old-backend.pl')} --mode normal`),
  );
  await bench.write(
    'be1',
    vhostFile,
    oldVhost({ certificates: '/etc/old-system', agents: '127.0.0.1:8081', api: '127.0.0.1:8080' }),
  );
  await bench.run(
    'be1',
    `chmod 600 /etc/old-system/server.key; systemctl daemon-reload; systemctl enable -q --now ${backendUnit}; nginx -t -q && systemctl reload nginx`,
  );
  await installOldGateway(parts, issued.trustPem);
}

/** Installs the old gateway agent on gw1 and waits until it is connected. */
export async function installOldGateway({ bench, rootOf, say }: OldSystemParts, trustPem: string): Promise<void> {
  say('gw1: the old gateway agent');
  const target = path.join(rootOf('gw1'), program('node'));
  await mkdir(path.dirname(target), { recursive: true });
  await cp(nodeFile, target);
  await bench.write('gw1', trustFile, trustPem);
  await bench.write('gw1', program('old-gateway.mjs'), await programSource('old-gateway.mjs'));
  await bench.write(
    'gw1',
    program('agent.toml'),
    `[outbound]\nbackend_url = "wss://${serverName}/ws/agent"\nagent_id = "gw-lab"\ntrust_file = "${trustFile}"\n`,
  );
  const command = `${program('node')} ${program('old-gateway.mjs')} ${program('agent.toml')}`;
  await bench.write(
    'gw1',
    `/etc/systemd/system/${gatewayUnit}`,
    oldUnit('viworks gateway agent', command, `Environment=NODE_EXTRA_CA_CERTS=${trustFile}\n`),
  );
  await bench.run('gw1', `systemctl daemon-reload; systemctl enable -q --now ${gatewayUnit}`);
  for (let round = 0; round < 60; round += 1) {
    if (await healthy(bench)) return;
    await scheduler.wait(250);
  }
  throw new Error('the old system was installed, and its gateway does not connect');
}
