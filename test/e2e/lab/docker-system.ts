// The Docker form of the backend host: nginx and the backend in containers on a network of their own, nginx's upstream being a
// container's name. Set up by the lab; our deployer does not come here.
import { stat } from 'node:fs/promises';
import { ensureBase } from './base.ts';
import { issueCertificate } from './certificates.ts';
import { inHost, leaderOf } from './host.ts';
import type { Layout } from './layout.ts';
import { installOldGateway, type OldSystemParts, oldVhost, programSource } from './old-system.ts';
import { serverName } from './seed.ts';

export const image = 'viworks-lab';
export const dockerNetwork = 'viworks';
export const backendContainer = 'viworks-backend-agent';
export const nginxContainer = 'nginx';
export const dockerVhostFile = '/srv/nginx/viworks.conf';

/** The command that makes the backend's container, published on the host's loopback. */
export const runBackend = (options: string, name = backendContainer, more = '') =>
  `docker run -d --name ${name} --network ${dockerNetwork} --restart unless-stopped ${more} \
   -p 127.0.0.1:8080:8080 -p 127.0.0.1:8081:8081 -v /srv/backend:/srv/backend:ro ${image} \
   perl /srv/backend/old-backend.pl --bind 0.0.0.0 ${options} >/dev/null`;

export const runNginx = `docker run -d --name ${nginxContainer} --network ${dockerNetwork} --restart unless-stopped \
   -p 443:443 -v ${dockerVhostFile}:/etc/nginx/conf.d/viworks.conf -v /srv/tls:/etc/nginx/tls:ro ${image} \
   nginx -g 'daemon off;' >/dev/null`;

/** Loads the image and starts the containers and the gateway; comes back when the gateway is connected. */
export async function setUpDockerSystem(layout: Layout, parts: OldSystemParts, signal?: AbortSignal): Promise<void> {
  const { bench, say } = parts;
  const tar = await ensureBase('container', { say, signal });
  say(`be1: loading the container image (${Math.round((await stat(tar)).size / 1e6)} MB)`);
  const leader = await leaderOf(layout, 'be1');
  if (!leader) throw new Error('be1 is off');
  const loaded = await inHost(
    leader,
    `for i in $(seq 100); do docker info >/dev/null 2>&1 && break; sleep 0.1; done; docker import - ${image}`,
    {
      inputFile: tar,
      signal,
    },
  );
  if (loaded.code !== 0) throw new Error(`be1: docker import ended with ${loaded.code}: ${loaded.stderr}`);
  say('be1: nginx and the backend in containers');
  const issued = await issueCertificate({ dir: parts.dir, name: serverName });
  await bench.write('be1', '/srv/tls/server.pem', issued.certificatePem);
  await bench.write('be1', '/srv/tls/server.key', issued.keyPem);
  await bench.write('be1', '/srv/backend/old-backend.pl', await programSource('old-backend.pl'));
  const vhost = oldVhost({
    certificates: '/etc/nginx/tls',
    agents: `${backendContainer}:8081`,
    api: `${backendContainer}:8080`,
  });
  await bench.write('be1', dockerVhostFile, vhost);
  await bench.run(
    'be1',
    `docker network create ${dockerNetwork} >/dev/null; ${runBackend('--mode normal')}; ${runNginx}`,
  );
  await installOldGateway(parts, issued.trustPem);
}
