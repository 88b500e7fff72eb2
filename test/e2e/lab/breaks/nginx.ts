// Faults of the nginx configuration and of nginx at run time. In each of the first table `nginx -t` is content.
import {
  changeVhost,
  reloadNginx,
  restartBackend,
  restartGateway,
  stopBackend,
  vhostBack,
  vhostFile,
  vhostText,
} from '../places.ts';
import {
  editLocation,
  inTlsServer,
  withDirective,
  withInvertedMap,
  withoutDirective,
  withoutLocation,
  withTarget,
} from '../vhost.ts';
import { healthy, journal, listeners, type UpgradeOutcome, unit, upgradeThroughNginx } from '../witness.ts';
import type { Workbench } from '../workbench.ts';
import type { Break } from './break.ts';

const ws = '/ws/';

/** A fault of the configuration that the workers run: the edit, and what an upgrade through nginx gets from then on. */
export function routeBreak(
  id: string,
  what: string,
  edit: (text: string) => string,
  expected: readonly UpgradeOutcome[],
): Break {
  return {
    id,
    what,
    form: 'systemd',
    inject: (bench) => changeVhost(bench, edit),
    witness: async (bench) => {
      const outcome = await upgradeThroughNginx(bench);
      return expected.includes(outcome) ? `an upgrade through nginx gives ${outcome}` : undefined;
    },
    mend: vhostBack,
  };
}

export const inWs = (edit: (body: string) => string) => (text: string) => editLocation(text, ws, edit);
const withoutHeaders = (...names: readonly string[]) =>
  inWs((body) => names.reduce((rest, name) => withoutDirective(rest, 'proxy_set_header', name), body));

const apiGoesToAgentsPort = async (bench: Workbench) =>
  /location\s+\/\s*\{[^}]*:8081/.test(await bench.read('be1', vhostFile));

export const routeBreaks: readonly Break[] = [
  routeBreak(
    'NGX-01',
    'no /ws/ location: everything goes to 8080',
    (text) => withTarget(withoutLocation(text, ws), '/', 'http://127.0.0.1:8080'),
    [404],
  ),
  routeBreak('NGX-02', 'Upgrade and Connection are not forwarded', withoutHeaders('Upgrade', 'Connection'), [426, 404]),
  routeBreak('NGX-03', 'Connection is not forwarded', withoutHeaders('Connection'), [426, 404]),
  routeBreak('NGX-04', 'the upgrade map is the wrong way round', withInvertedMap, [426, 404]),
  routeBreak(
    'NGX-05',
    'Upgrade is set from the wrong variable',
    (text) => {
      const variable = /map\s+\$http_upgrade\s+(\$\w+)/.exec(text)?.[1];
      return editLocation(text, ws, (body) =>
        withDirective(withoutDirective(body, 'proxy_set_header', 'Upgrade'), `proxy_set_header Upgrade ${variable};`),
      );
    },
    [400, 426, 404],
  ),
  routeBreak(
    'NGX-07',
    'a slash after the target rewrites the path',
    inWs((body) => body.replace(/(proxy_pass\s+[^;]*[^;/])\s*;/, '$1/;')),
    [400, 404],
  ),
  routeBreak(
    'NGX-10',
    'access to /ws/ is denied',
    inWs((body) => withDirective(body, 'deny all;')),
    [403],
  ),
  routeBreak(
    'NGX-20',
    '/ws/ asks for a password',
    inWs((body) => withDirective(body, 'auth_basic "staff"; auth_basic_user_file /etc/passwd;')),
    [401],
  ),
  routeBreak('NGX-23', 'a typo in the target port', (text) => withTarget(text, ws, 'http://127.0.0.1:8018'), [502]),
  routeBreak(
    'NGX-21',
    'the target is a variable, and the resolver for it is dead',
    inWs((body) =>
      withDirective(
        body.replace(/proxy_pass\s+[^;]+;/, 'proxy_pass http://$backend:8081;'),
        'resolver 127.0.0.1:5353; resolver_timeout 1s; set $backend backend.example.test;',
      ),
    ),
    [502],
  ),
  {
    id: 'NGX-15',
    what: 'the backend is stopped, and error_page turns its 502 into a 503',
    form: 'systemd',
    inject: async (bench) => {
      await stopBackend(bench);
      await changeVhost(bench, (text) =>
        inTlsServer(text, "error_page 502 =503 @away;\n    location @away { return 503 'away'; }"),
      );
    },
    witness: async (bench) => {
      const outcome = await upgradeThroughNginx(bench);
      const none = (await listeners(bench, 'be1', 8081)).length === 0;
      return outcome === 503 && none ? 'an upgrade gives 503, and nothing listens on 8081' : undefined;
    },
    mend: async (bench) => {
      await restartBackend(bench);
      await vhostBack(bench);
    },
  },
  {
    id: 'NGX-22',
    what: 'the bad fix: everything goes to 8081, the API too',
    form: 'systemd',
    inject: (bench) => changeVhost(bench, (text) => withTarget(text, '/', 'http://127.0.0.1:8081')),
    witness: async (bench) =>
      (await upgradeThroughNginx(bench)) === 101 && (await apiGoesToAgentsPort(bench))
        ? 'an upgrade gives 101, and / goes to 8081'
        : undefined,
    mend: vhostBack,
  },
  routeBreak(
    'NGX-25',
    'the server block listens on another port',
    (text) => text.replaceAll(/(listen\s+(?:\[::\]:)?)443\b/g, '$19443'),
    ['refused'],
  ),
  routeBreak('NGX-26', 'a maintenance page for the whole server', (text) => inTlsServer(text, 'return 503;'), [503]),
  routeBreak(
    'NGX-27',
    'nginx speaks TLS to the WebSocket port',
    (text) => withTarget(text, ws, 'https://127.0.0.1:8081'),
    [502],
  ),
  routeBreak(
    'NGX-28',
    'the key of the handshake is dropped on the way',
    inWs((body) => withDirective(body, 'proxy_set_header Sec-WebSocket-Key "";')),
    [400],
  ),
  routeBreak(
    'TLS-10',
    'nginx offers TLS 1.1 and nothing newer',
    (text) => text.replaceAll(/ssl_protocols[^;]*;/g, '').replace(/(server_name[^;]*;)/, '$1 ssl_protocols TLSv1.1;'),
    ['tls:ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'],
  ),
  routeBreak(
    'TLS-13',
    'the public port lost its ssl',
    (text) => text.replaceAll(/(listen[^;]*443)\s+ssl[^;]*;/g, '$1;'),
    ['tls:ERR_SSL_WRONG_VERSION_NUMBER'],
  ),
  routeBreak(
    'OTHER-REDIRECT',
    '/ws/ is redirected to another name',
    inWs(() => ' return 301 https://www.example.test$request_uri; '),
    [301],
  ),
];

const legacyServer = `server {
  listen 443 ssl;
  server_name agents.example.test;
  CERTIFICATE
  location / { return 404; }
}
`;

/** Restarts nginx and leaves it as it comes up, or does not. */
const restartNginx = 'systemctl restart nginx 2>/dev/null || true';

const nginxFailed: Break['witness'] = async (bench) => {
  const state = await unit(bench, 'be1', 'nginx.service');
  const emerg = (await journal(bench, 'be1', 'nginx.service')).split('\n').findLast((line) => line.includes('[emerg]'));
  return state.ActiveState === 'failed' && emerg ? emerg.trim() : undefined;
};

const startFault = (id: string, what: string, edit: (text: string) => string): Break => ({
  id,
  what,
  form: 'systemd',
  inject: async (bench) => {
    await bench.write('be1', vhostFile, edit(await vhostText(bench)));
    await bench.run('be1', restartNginx);
  },
  witness: nginxFailed,
  mend: vhostBack,
});

export const runtimeBreaks: readonly Break[] = [
  {
    id: 'NGX-09',
    what: 'an older server block with the same name comes first',
    form: 'systemd',
    inject: async (bench) => {
      const certificate =
        (await vhostText(bench))
          .match(/ssl_certificate(_key)?\s[^;]*;/g)
          ?.slice(0, 2)
          .join(' ') ?? '';
      await bench.write('be1', '/etc/nginx/conf.d/00-legacy.conf', legacyServer.replace('CERTIFICATE', certificate));
      await reloadNginx(bench);
    },
    witness: async (bench) =>
      (await upgradeThroughNginx(bench)) === 404 ? 'the older server block answers 404' : undefined,
    mend: vhostBack,
  },
  {
    id: 'NGR-01',
    what: 'the configuration was corrected and never loaded',
    form: 'systemd',
    inject: async (bench) => {
      const good = await bench.read('be1', vhostFile);
      await changeVhost(bench, (text) => withTarget(withoutLocation(text, ws), '/', 'http://127.0.0.1:8080'));
      await bench.run('be1', 'sleep 1.1');
      await bench.write('be1', vhostFile, good);
    },
    witness: async (bench) => {
      const outcome = await upgradeThroughNginx(bench);
      return outcome === 404 ? 'the file is right, and the workers still answer 404' : undefined;
    },
    mend: vhostBack,
  },
  {
    id: 'NGR-02',
    what: 'the configuration on disk is broken, the workers run the one before it (latent)',
    form: 'systemd',
    inject: async (bench) => {
      await bench.write('be1', vhostFile, (await vhostText(bench)).replace(/proxy_pass\s/, 'proxy_pas '));
    },
    witness: async (bench) => {
      const broken = (await bench.attempt('be1', 'nginx -t -q')).code !== 0;
      return broken && (await healthy(bench))
        ? 'nginx -t fails, an upgrade still gives 101, and the gateway is connected'
        : undefined;
    },
    mend: vhostBack,
  },
  startFault('NGR-03', 'the configuration has a syntax error, and nginx was restarted', (text) =>
    text.replace(/proxy_pass\s/, 'proxy_pas '),
  ),
  startFault('NGR-05', 'the upstream is a name that nobody resolves, and nginx was restarted', (text) =>
    withTarget(text, ws, 'http://viworks-backend-agent-new:8081'),
  ),
  {
    id: 'NGR-04',
    what: 'the key does not belong to the certificate, and nginx was restarted',
    form: 'systemd',
    inject: async (bench) => {
      const text = await vhostText(bench);
      const certificate = /ssl_certificate\s+([^;]+);/.exec(text)?.[1] ?? '';
      // A key of another algorithm would do: nginx 1.22 takes it without a word.
      await bench.run(
        'be1',
        `case "$(openssl x509 -noout -text -in ${certificate})" in
           *id-ecPublicKey*) set -- EC -pkeyopt ec_paramgen_curve:P-256;; *ED25519*) set -- ED25519;; *) set -- RSA;;
         esac; openssl genpkey -algorithm "$@" -out /etc/nginx/other.key 2>/dev/null`,
      );
      await bench.write(
        'be1',
        vhostFile,
        (await vhostText(bench)).replaceAll(
          /ssl_certificate_key\s[^;]*;/g,
          'ssl_certificate_key /etc/nginx/other.key;',
        ),
      );
      await bench.run('be1', restartNginx);
    },
    witness: nginxFailed,
    mend: async (bench) => {
      await bench.run('be1', 'rm -f /etc/nginx/other.key');
      await vhostBack(bench);
    },
  },
  {
    id: 'NET-14',
    what: 'nginx is stopped',
    form: 'systemd',
    inject: async (bench) => {
      await bench.run('be1', 'systemctl stop nginx');
    },
    witness: async (bench) => ((await upgradeThroughNginx(bench)) === 'refused' ? 'nobody listens on 443' : undefined),
    mend: async (bench) => {
      await bench.run('be1', 'systemctl start nginx');
      await restartGateway(bench);
    },
  },
  {
    id: 'NET-15',
    what: 'another server owns 443',
    form: 'systemd',
    inject: async (bench) => {
      await bench.run(
        'be1',
        `systemctl stop nginx
         openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=www.example.test -keyout /run/other.key -out /run/other.crt 2>/dev/null
         systemd-run -q --unit=other-web /usr/bin/openssl s_server -accept 443 -key /run/other.key -cert /run/other.crt -www`,
      );
    },
    witness: async (bench) => {
      const owner = await bench.run('be1', "ss -Hltnp 'sport = :443'");
      return owner.includes('openssl') ? '443 belongs to openssl s_server' : undefined;
    },
    mend: async (bench) => {
      await bench.attempt(
        'be1',
        'systemctl stop other-web; systemctl reset-failed other-web; rm -f /run/other.key /run/other.crt; systemctl start nginx',
      );
      await restartGateway(bench);
    },
  },
];
