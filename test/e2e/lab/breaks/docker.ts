// Faults of the Docker form of the backend host.
import {
  backendContainer,
  dockerNetwork,
  dockerVhostFile,
  image,
  nginxContainer,
  runBackend,
} from '../docker-system.ts';
import { restartGateway } from '../places.ts';
import { withoutLocation, withTarget } from '../vhost.ts';
import { healthy, listeners, upgradeDirect, upgradeThroughNginx } from '../witness.ts';
import type { Workbench } from '../workbench.ts';
import type { Break } from './break.ts';

/** Makes the backend's container anew, and lets nginx look its name up again. */
async function recreateBackend(bench: Workbench, options: string): Promise<void> {
  await bench.run(
    'be1',
    `docker rm -f ${backendContainer} >/dev/null 2>&1; ${runBackend(options)}; docker restart -t 1 ${nginxContainer} >/dev/null`,
  );
}

const back = async (bench: Workbench): Promise<void> => {
  await recreateBackend(bench, '--mode normal');
  await restartGateway(bench);
};

const listensInside = async (bench: Workbench): Promise<boolean> => {
  const pid = (await bench.run('be1', `docker inspect -f '{{.State.Pid}}' ${backendContainer}`)).trim();
  return (await bench.run('be1', `nsenter -t ${pid} -n ss -Hltn 'sport = :8081'`)).trim() !== '';
};

const proxyOwns = async (bench: Workbench): Promise<boolean> =>
  (await listeners(bench, 'be1', 8081)).some(({ owner }) => owner.includes('docker-proxy'));

export const dockerBreaks: readonly Break[] = [
  {
    id: 'DOC-01',
    what: '8081 is published, and nothing listens in the container',
    form: 'docker',
    inject: (bench) => recreateBackend(bench, '--mode no-listener'),
    witness: async (bench) =>
      (await proxyOwns(bench)) && !(await listensInside(bench)) && (await upgradeDirect(bench, '/health', 8080)) === 200
        ? 'docker-proxy listens on 8081, nobody does in the container, 8080 answers'
        : undefined,
    mend: back,
  },
  {
    id: 'DOC-03',
    what: 'the backend container was made anew and has another address; nginx holds the old one',
    form: 'docker',
    inject: async (bench) => {
      const squatter = `docker run -d --name cache --network ${dockerNetwork} ${image} sleep infinity >/dev/null`;
      await bench.run(
        'be1',
        `docker rm -f ${backendContainer} >/dev/null; ${squatter}; ${runBackend('--mode normal')}`,
      );
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const [through, direct] = [await upgradeThroughNginx(bench), await upgradeDirect(bench)];
      return through === 502 && direct === 101 ? 'the published port gives 101, nginx 502' : undefined;
    },
    mend: async (bench) => {
      await bench.run('be1', 'docker rm -f -t 1 cache >/dev/null 2>&1 || docker rm -f cache >/dev/null');
      await back(bench);
    },
  },
  {
    id: 'DOC-06',
    what: 'the backend container is on another network than nginx',
    form: 'docker',
    inject: async (bench) => {
      await bench.run(
        'be1',
        `docker network create other >/dev/null; docker network connect other ${backendContainer}; docker network disconnect ${dockerNetwork} ${backendContainer}`,
      );
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const through = await upgradeThroughNginx(bench);
      return through !== 101 && (await upgradeDirect(bench)) === 101
        ? `the published port gives 101, nginx ${through}`
        : undefined;
    },
    mend: async (bench) => {
      await back(bench);
      await bench.attempt('be1', 'docker network rm other >/dev/null');
    },
  },
  {
    id: 'DOC-07',
    what: 'the vhost file on the host was replaced by a rename; the container keeps the old one',
    form: 'docker',
    answer: { kind: 'latent', code: 'DOC-07' },
    inject: async (bench) => {
      await bench.run(
        'be1',
        `cp -p ${dockerVhostFile} ${dockerVhostFile}.new; mv ${dockerVhostFile}.new ${dockerVhostFile}`,
      );
    },
    witness: async (bench) => {
      const pid = (await bench.run('be1', `docker inspect -f '{{.State.Pid}}' ${nginxContainer}`)).trim();
      const marked = await bench.run('be1', `grep -c //deleted /proc/${pid}/mountinfo; true`);
      return marked.trim() === '1' && (await healthy(bench)) ? 'the kernel marks the mount as deleted' : undefined;
    },
    mend: async (bench) => {
      await bench.run('be1', `docker restart -t 1 ${nginxContainer} >/dev/null`);
    },
  },
  {
    id: 'DOC-05',
    what: 'the backend container has no restart policy, and stayed down',
    form: 'docker',
    inject: async (bench) => {
      await bench.run(
        'be1',
        `docker update --restart no ${backendContainer} >/dev/null; docker stop -t 1 ${backendContainer} >/dev/null`,
      );
    },
    witness: async (bench) => {
      const state = await bench.run(
        'be1',
        `docker inspect -f '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}' ${backendContainer}`,
      );
      return state.trim() === 'exited no' ? 'exited, with restart policy "no"' : undefined;
    },
    mend: back,
  },
  {
    id: 'NGR-05-DOCKER',
    what: "the backend's container has another name, and nginx was restarted",
    form: 'docker',
    inject: async (bench) => {
      const renamed = runBackend('--mode normal', `${backendContainer}-new`);
      await bench.run(
        'be1',
        `docker rm -f ${backendContainer} >/dev/null; ${renamed}; docker restart -t 1 ${nginxContainer} >/dev/null`,
      );
    },
    witness: async (bench) => {
      // The resolver takes its time to give up, and Docker starts nginx again and again meanwhile.
      const log = await bench.run('be1', `docker logs --since 30s ${nginxContainer} 2>&1`);
      const emerg = log.split('\n').findLast((line) => line.includes('host not found in upstream'));
      return emerg && typeof (await upgradeThroughNginx(bench)) === 'string' ? emerg.trim() : undefined;
    },
    mend: async (bench) => {
      await bench.run('be1', `docker rm -f ${backendContainer}-new >/dev/null`);
      await back(bench);
    },
  },
  {
    id: 'NGX-01-DOCKER',
    what: 'no /ws/ location in the container: everything goes to 8080',
    form: 'docker',
    inject: async (bench) => {
      const text = await bench.read('be1', dockerVhostFile);
      await bench.write(
        'be1',
        dockerVhostFile,
        withTarget(withoutLocation(text, '/ws/'), '/', `http://${backendContainer}:8080`),
      );
      await bench.run('be1', `docker restart -t 1 ${nginxContainer} >/dev/null`);
    },
    witness: async (bench) =>
      (await upgradeThroughNginx(bench)) === 404 ? 'an upgrade through nginx gives 404' : undefined,
    mend: back,
  },
  {
    id: 'BE-02-DOCKER',
    what: 'the backend in the container listens on 8081 and never accepts',
    form: 'docker',
    inject: (bench) => recreateBackend(bench, '--mode bind-only'),
    witness: async (bench) =>
      (await listensInside(bench)) && (await upgradeDirect(bench)) === 'silent'
        ? 'it listens in the container, and a dial is silent'
        : undefined,
    mend: back,
  },
  {
    id: 'BE-08',
    what: "the backend listens on its container's loopback only",
    form: 'docker',
    inject: (bench) => recreateBackend(bench, '--bind 127.0.0.1'),
    witness: async (bench) =>
      (await listensInside(bench)) && (await upgradeThroughNginx(bench)) === 502
        ? 'it listens in the container, and nginx gets no connection'
        : undefined,
    mend: back,
  },
  {
    id: 'TRAP-DOCKER-RECREATED',
    what: 'the backend container was made anew, and nginx restarted after it',
    form: 'docker',
    inject: back,
    witness: async (bench) => ((await healthy(bench)) ? 'all is well' : undefined),
  },
];
