// Faults of what nginx can hold or pass on: connections, descriptors, headers of the request, headers of the answer, a key after a renewal.
import { changeVhost, reloadNginx, restartGateway, vhostBack, vhostText } from '../places.ts';
import { inTlsServer, withDirective } from '../vhost.ts';
import { gatewayConnected, healthy, type UpgradeOutcome, upgradeThroughNginx } from '../witness.ts';
import type { Workbench } from '../workbench.ts';
import type { Break } from './break.ts';
import { inWs, routeBreak } from './nginx.ts';

const mainFile = '/etc/nginx/nginx.conf';

/** A limit of the whole process, and what an upgrade gets once it is reached. */
function processLimit(
  id: string,
  what: string,
  of: { readonly edit: (text: string) => string; readonly expected: readonly UpgradeOutcome[] },
): Break {
  return {
    id,
    what,
    form: 'systemd',
    inject: async (bench) => {
      await bench.write('be1', mainFile, of.edit(await bench.read('be1', mainFile)));
      await reloadNginx(bench);
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const outcome = await upgradeThroughNginx(bench);
      const words = await bench.run('be1', "grep -hE 'not enough|Too many open' /var/log/nginx/error.log | tail -n 1");
      return of.expected.includes(outcome) && words !== '' ? `an upgrade gives ${outcome}; ${words.trim()}` : undefined;
    },
    mend: vhostBack,
  };
}

/** The answer to an upgrade loses a header that the agents look for: they are told 101 and leave. */
function strippedAnswer(id: string, header: string, expected: UpgradeOutcome): Break {
  return {
    id,
    what: `nginx keeps ${header} of the answer to itself`,
    form: 'systemd',
    answer: { kind: 'cause', code: 'NGX-36' },
    inject: async (bench) => {
      await changeVhost(
        bench,
        inWs((body) => withDirective(body, `proxy_hide_header ${header};`)),
      );
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const outcome = await upgradeThroughNginx(bench);
      return outcome === expected && !(await gatewayConnected(bench)) ? `an upgrade gives ${outcome}` : undefined;
    },
    mend: vhostBack,
  };
}

/** The certificate was renewed and its key lies elsewhere now: the reload failed, the old pair is still served. */
async function keyMoved(bench: Workbench): Promise<void> {
  const edited = (await vhostText(bench)).replaceAll(
    /ssl_certificate_key\s[^;]*;/g,
    'ssl_certificate_key /etc/ssl/private/renewed.key;',
  );
  await bench.write('be1', '/etc/nginx/conf.d/viworks.conf', edited);
  await bench.attempt('be1', 'kill -HUP "$(cat /run/nginx.pid)"');
}

export const nginxLimitBreaks: readonly Break[] = [
  processLimit('NGR-10', 'nginx has as many worker connections as it may have', {
    edit: (text) => text.replace(/worker_connections\s+\d+;/, 'worker_connections 6;'),
    expected: ['reset', 500],
  }),
  processLimit('NGR-13', 'a worker has fewer open files than it needs to begin, and is not started again', {
    edit: (text) => `worker_rlimit_nofile 9;\n${text}`,
    expected: ['silent'],
  }),
  routeBreak(
    'NGX-14',
    'the header buffers are smaller than the header of an upgrade',
    (text) =>
      inTlsServer(text, 'connection_pool_size 128; client_header_buffer_size 64; large_client_header_buffers 1 128;'),
    [400],
  ),
  strippedAnswer('NGX-36', 'Sec-WebSocket-Protocol', 101),
  strippedAnswer('NGX-36-ACCEPT', 'Sec-WebSocket-Accept', 'wrong-accept'),
  {
    ...routeBreak(
      'TLS-13-HTTP2',
      'the public port lost its ssl and kept its http2',
      (text) => text.replaceAll(/(listen[^;]*443)\s+ssl[^;]*;/g, '$1 http2;'),
      ['tls:ERR_SSL_WRONG_VERSION_NUMBER'],
    ),
    answer: { kind: 'cause', code: 'TLS-13' },
  },
  {
    id: 'TLS-12',
    what: 'the key is not where nginx looks for it since the renewal, and the reload failed (latent)',
    form: 'systemd',
    answer: { kind: 'latent', code: 'TLS-12' },
    inject: keyMoved,
    witness: async (bench) => {
      const words = await bench.run(
        'be1',
        "grep -hE 'cannot load certificate key' /var/log/nginx/error.log | tail -n 1",
      );
      return words !== '' && (await healthy(bench)) ? words.trim() : undefined;
    },
    mend: vhostBack,
  },
];
