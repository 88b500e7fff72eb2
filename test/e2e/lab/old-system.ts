// An installation that viworks did not make: the stand-ins of the old kind, a certificate of its own small authority, a vhost
// written by hand. For the doctor on foreign systems, and for the faults while nothing is deployed.
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { scheduler } from 'node:timers/promises';
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

const authorityFile = '/etc/old-system/ca.pem';

const certificates = `set -e
mkdir -p /etc/old-system && cd /etc/old-system
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=Old CA' -keyout ca.key -out ca.pem 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=${serverName} -keyout server.key -out server.csr 2>/dev/null
printf 'subjectAltName=DNS:${serverName}\\n' > san
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -extfile san -out server.pem 2>/dev/null
chmod 600 *.key; cat ca.pem`;

const vhost = `map $http_upgrade $connection_upgrade {
    default upgrade;
    ''      close;
}

server {
    listen 443 ssl http2;
    server_name ${serverName};
    ssl_certificate /etc/old-system/server.pem;
    ssl_certificate_key /etc/old-system/server.key;

    location /ws/ {
        proxy_pass http://127.0.0.1:8081;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header Host $host;
        proxy_read_timeout 3600s;
        proxy_send_timeout 3600s;
        proxy_buffering off;
    }

    location / {
        proxy_pass http://127.0.0.1:8080;
        proxy_set_header Host $host;
    }
}
`;

const nodeFile = path.join(repositoryRoot, `node_modules/node-linux-${process.arch}/bin/node`);

/** Installs the old system on both hosts and waits until its gateway is connected; answers with the authority's certificate. */
export async function installOldSystem({ bench, dir, rootOf, say }: OldSystemParts): Promise<string> {
  const source = (name: string) => readFile(path.join(repositoryRoot, 'test/programs', name), 'utf8');
  say('be1: nginx, the old backend, a certificate');
  await bench.run(
    'be1',
    'nginx -v 2>/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q nginx-light; }',
  );
  const authority = await bench.run('be1', certificates);
  await bench.write('be1', program('old-backend.pl'), await source('old-backend.pl'));
  await bench.write(
    'be1',
    `/etc/systemd/system/${backendUnit}`,
    oldUnit('viworks backend agent', `/usr/bin/perl ${program('old-backend.pl')} --mode normal`),
  );
  await bench.write('be1', vhostFile, vhost);
  await bench.run(
    'be1',
    `systemctl daemon-reload; systemctl enable -q --now ${backendUnit}; nginx -t -q && systemctl reload nginx`,
  );

  say('gw1: the old gateway agent');
  const target = path.join(rootOf('gw1'), program('node'));
  await mkdir(path.dirname(target), { recursive: true });
  await cp(nodeFile, target);
  await bench.write('gw1', authorityFile, authority);
  await bench.write('gw1', program('old-gateway.mjs'), await source('old-gateway.mjs'));
  await bench.write(
    'gw1',
    program('agent.toml'),
    `[outbound]\nbackend_url = "wss://${serverName}/ws/agent"\nagent_id = "gw-lab"\ntrust_file = "${authorityFile}"\n`,
  );
  const command = `${program('node')} ${program('old-gateway.mjs')} ${program('agent.toml')}`;
  await bench.write(
    'gw1',
    `/etc/systemd/system/${gatewayUnit}`,
    oldUnit('viworks gateway agent', command, `Environment=NODE_EXTRA_CA_CERTS=${authorityFile}\n`),
  );
  await bench.run('gw1', `systemctl daemon-reload; systemctl enable -q --now ${gatewayUnit}`);
  const authorityPath = path.join(dir, 'old-ca.pem');
  await writeFile(authorityPath, authority);
  for (let round = 0; round < 60; round += 1) {
    if (await healthy(bench)) return authorityPath;
    await scheduler.wait(250);
  }
  throw new Error('the old system was installed, and its gateway does not connect');
}
