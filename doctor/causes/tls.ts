// Causes in certificates and trust, as the gateway sees them. Each is judged with the gateway's own trust and compared with another vantage.
import {
  allOf,
  anyOf,
  type CauseRule,
  type Culprit,
  causesOf,
  judge,
  not,
  sign,
  signs,
  tri,
  type View,
} from '../engine/index.ts';
import { isManaged, nginxCommand, on, remedy } from './texts.ts';
import { clientCertificateRejected } from './tls-keys.ts';

const { gateway, nginx, parts } = signs;
const predicts = ['network.tls.verifies'];
/** nginx reads its server block out of a release of ours: then a deployment writes its certificate. */
const servesRelease = (view: View) =>
  view.value('nginx.files', 'be')?.files.some((file) => file.path.startsWith('/opt/viworks/')) ?? false;
const trustFile = (view: View) =>
  view.value('agent.config', 'gw', 'gateway')?.values.trust_file ?? '/etc/ssl/certs/ca-certificates.crt';
const leaf = (view: View) => view.value('tls.certificate', 'gw', 'public')?.chain[0] ?? null;
const day = (ms: number | undefined) => (ms === undefined ? '?' : new Date(ms).toISOString().slice(0, 10));

const clockRight = not('the clock of the gateway is right', gateway.clockOff('gw', 300, 'either'));
/** Of a code about a chain only the certificate that it is about says what is wrong. */
const culprit = (view: View) => view.value('tls.certificate', 'gw', 'public')?.culprit ?? null;
const culpritIs = (words: readonly [holds: string, fails: string], test: (of: Culprit) => boolean) =>
  sign(words, (view) =>
    judge(view, ['tls.certificate', 'gw', 'public'], (seen) =>
      seen.culprit === undefined ? 'unknown' : seen.culprit !== null && test(seen.culprit),
    ),
  );
const leafCulprit = culpritIs(
  ['it is the certificate of the server itself', "it is not the server's own certificate"],
  ({ depth }) => depth === 0,
);
const upperCulprit = culpritIs(
  ["it is a certificate above the server's", "it is the server's own certificate"],
  ({ depth }) => depth > 0,
);
const expiredCode = gateway.verification('gw', 'finds the certificate expired', (code) => code === 'CERT_HAS_EXPIRED');
const expired = allOf('the certificate of the server has expired for the gateway', expiredCode, leafCulprit);
const early = gateway.verification('gw', 'finds a certificate not yet valid', (code) => code === 'CERT_NOT_YET_VALID');
const subject = (of: Culprit | null) =>
  of ? of.certificate.subject || `serial ${of.certificate.serial}` : 'a certificate';
const whereAbove = (of: Culprit | null) =>
  of?.place === 'trust' ? 'in the trust file of the gateway' : 'served by nginx';
const renewed = sign(
  [
    'the certificate file on disk is another one, and valid',
    'the certificate file on disk is no newer than what is served',
  ],
  (view) =>
    judge(view, ['tls.disk-certificate', 'be'], (disk) => {
      const served = leaf(view);
      if (!served) return 'unknown';
      return disk.certificate.serial !== served.serial && disk.certificate.notAfterMs > served.notAfterMs;
    }),
);

const issuerCodes = [
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];
const acceptedElsewhere = anyOf(
  'others accept the same certificate',
  gateway.verification('op', 'accepts it', (code) => code === 'OK'),
  gateway.verification('be', 'accepts it', (code) => code === 'OK'),
);

const nobodyAccepts = allOf(
  'nobody else accepts it',
  gateway.verification('be', 'does not know the issuer either', (code) => issuerCodes.includes(code)),
  gateway.verification('op', 'does not know the issuer either', (code) => issuerCodes.includes(code)),
);
const servedFromDisk = sign(
  ['what is served is the file that nginx names', 'another certificate is served than the file that nginx names'],
  (view) =>
    judge(view, ['tls.disk-certificate', 'be'], (disk) => {
      const served = leaf(view);
      return served ? disk.certificate.serial === served.serial : 'unknown';
    }),
);
const alone = sign(
  [
    'one certificate is served, and its issuer is not a root that the gateway trusts',
    'more than one certificate is served, or the gateway trusts the issuer',
  ],
  (view) =>
    judge(view, ['tls.certificate', 'gw', 'public'], (seen) =>
      seen.culprit === undefined
        ? 'unknown'
        : seen.chain.length === 1 && seen.culprit?.depth === 0 && !seen.culprit.certificate.selfSigned,
    ),
);

const demandsCertificate = /no required ssl certificate was sent/i;

const handshakeFails = (seat: 'gw' | 'be' | 'op', codes: readonly string[]) =>
  sign(
    [
      (view) =>
        `the TLS handshake from ${parts.hostOf(view, seat)} ends with ${view.value('tls.certificate', seat, 'public')?.error ?? 'an error'}`,
      (view) => {
        const error = view.value('tls.certificate', seat, 'public')?.error;
        return `the TLS handshake from ${parts.hostOf(view, seat)} ${error ? `ends with ${error}` : 'succeeds'}`;
      },
    ],
    (view) =>
      judge(
        view,
        ['tls.certificate', seat, 'public'],
        (seen) => seen.handshake === 'failed' && codes.includes(seen.error ?? ''),
      ),
  );
const bothFail = (codes: readonly string[]) => [
  handshakeFails('gw', codes),
  anyOf('the same from elsewhere', handshakeFails('be', codes), handshakeFails('op', codes)),
];
/** Node's words for an answer that is no TLS record. */
const plainCodes = ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_HTTP_REQUEST'];
const versionCodes = [
  'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_UNSUPPORTED_SSL_VERSION',
];
const whole = ['network.tls.verifies', 'nginx.agents.upgrades', 'nginx.api.answers', 'network.agents.upgrades'];

export const tlsCauses: readonly CauseRule[] = causesOf(
  { layer: 'tls', hop: 'tls', host: 'be', predicts },
  {
    'TLS-01': {
      name: 'certificate expired',
      title: (view) => `the certificate expired on ${day(leaf(view)?.notAfterMs)}`,
      necessary: [expired, clockRight],
      forbids: [renewed],
      lookalikes: { 'TLS-02': not(renewed), 'CLK-01': clockRight },
      remedy: (view) =>
        remedy('renew it, load it, and repair the renewal', [
          ...(servesRelease(view) ? ['viworks deploy apply'] : []),
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `The served certificate has expired, by the gateway's clock and by ours. Reconnecting in a loop is the consequence.`,
    },
    'TLS-02': {
      name: 'certificate renewed, not loaded',
      title: 'the certificate was renewed, but nginx still serves the old one',
      necessary: [expired, renewed],
      lookalikes: { 'TLS-01': renewed },
      remedy: (view) =>
        remedy('reload nginx, and let the renewal do so from now on', on(view, 'be', nginxCommand(view, 'reload'))),
      help: `File and served certificate differ in serial; nginx reads certificates only when it loads its configuration.`,
    },
    'TLS-03': {
      name: 'certificate for another name',
      title: (view) =>
        `the certificate is for ${leaf(view)?.names.join(', ') || 'another name'}, not for ${view.topology.serverName}`,
      necessary: [
        gateway.verification(
          'gw',
          'finds another name in the certificate',
          (code) => code === 'ERR_TLS_CERT_ALTNAME_INVALID',
        ),
        gateway.nameRight,
      ],
      forbids: [nginx.nobodyHasTheName],
      lookalikes: {
        'NET-01': gateway.nameRight,
        'TLS-05': gateway.verification(
          'gw',
          'complains about the name, not the issuer',
          (code) => code === 'ERR_TLS_CERT_ALTNAME_INVALID',
        ),
      },
      remedy: (view) =>
        remedy(
          'serve the certificate of this name from the server block of this name',
          on(view, 'be', 'nginx -T | grep -n ssl_certificate', nginxCommand(view, 'reload')),
        ),
      help: `The gateway reaches the right machine and is shown a certificate for another name: the wrong file, or another server block answered for this name.`,
    },
    'TLS-04': {
      name: 'incomplete chain',
      title: (view) =>
        `nginx serves the certificate alone; its issuer, ${leaf(view)?.issuer ?? '?'}, is missing from the chain`,
      necessary: [alone, nobodyAccepts, servedFromDisk],
      lookalikes: {
        'TLS-05': nobodyAccepts,
        'unknown-authority': [
          'an authority that nobody here knows, which signs without an intermediate',
          sign('the issuer is an intermediate', () => 'unknown'),
        ],
      },
      remedy: (view) =>
        remedy('let ssl_certificate name the full chain: the certificate first, then every intermediate', [
          ...(servesRelease(view) ? ['viworks deploy apply'] : []),
          ...on(view, 'be', 'nginx -T | grep -n ssl_certificate', nginxCommand(view, 'reload')),
        ]),
      help: `One certificate was served and its issuer is neither served with it nor a root of anybody who looked. Usually ssl_certificate names cert.pem where it should name fullchain.pem. Browsers hide this, since they fetch or remember intermediates; agents do not.`,
    },
    'TLS-05': {
      name: 'authority unknown to the gateway',
      host: 'gw',
      title: (view) => `${parts.hostOf(view, 'gw')} does not know the authority that issued the certificate`,
      necessary: [
        gateway.verification('gw', 'does not know the issuer', (code) => issuerCodes.includes(code)),
        acceptedElsewhere,
      ],
      signature: [gateway.nameRight],
      lookalikes: {
        'TLS-03': gateway.verification('gw', 'complains about the issuer, not the name', (code) =>
          issuerCodes.includes(code),
        ),
        'TLS-01': gateway.verification('gw', 'complains about the issuer, not the validity period', (code) =>
          issuerCodes.includes(code),
        ),
      },
      remedy: (view) =>
        remedy("put the authority's certificate into the gateway's trust file", [
          ...(isManaged(view, parts.gatewayPart) ? ['viworks deploy apply'] : []),
          ...on(view, 'gw', `ls -l ${trustFile(view)}`),
        ]),
      help: `The certificate is fine: any client that trusts the issuing authority accepts it. This gateway has not, or its trust file names another one.`,
    },
    'TLS-14': {
      name: 'expired certificate above the server’s',
      title: (view) =>
        `${subject(culprit(view))}, ${whereAbove(culprit(view))}, expired on ${day(culprit(view)?.certificate.notAfterMs)}`,
      necessary: [expiredCode, upperCulprit, clockRight],
      lookalikes: { 'TLS-01': upperCulprit, 'TLS-02': upperCulprit, 'CLK-01': clockRight },
      remedy: (view) =>
        culprit(view)?.place === 'trust'
          ? remedy('replace the expired root in the trust file', on(view, 'gw', `ls -l ${trustFile(view)}`))
          : remedy('serve the current intermediate with the certificate', [
              ...(servesRelease(view) ? ['viworks deploy apply'] : []),
              ...on(view, 'be', 'nginx -T | grep -n ssl_certificate', nginxCommand(view, 'reload')),
            ]),
      help: `The server's own certificate is valid; an intermediate that is served with it, or the root that the gateway trusts, has expired. Renewing the server's certificate does not help.`,
    },
    'TLS-15': {
      name: 'certificate not yet valid',
      title: (view) => `${subject(culprit(view))} is valid only from ${day(culprit(view)?.certificate.notBeforeMs)} on`,
      necessary: [
        early,
        clockRight,
        culpritIs(['its validity starts later', 'no certificate begins later'], () => true),
      ],
      lookalikes: { 'CLK-01': clockRight },
      remedy: (view) =>
        remedy('serve the certificate that is valid now, or have it issued again', [
          ...(servesRelease(view) ? ['viworks deploy apply'] : []),
          ...on(view, 'be', 'nginx -T | grep -n ssl_certificate'),
        ]),
      help: `Both clocks agree, and the certificate's validity begins in the future: it was issued ahead of time, or by a machine whose clock is wrong.`,
    },
    'TLS-06': {
      name: 'client certificate required',
      title: 'nginx requires a client certificate, but none is sent',
      necessary: [
        nginx.publicStatus(400, 496),
        sign(
          ['nginx says "No required SSL certificate was sent"', 'nginx says nothing about a client certificate'],
          (view) => {
            const seat = nginx.publicSeat(view);
            return seat
              ? judge(view, ['ws.upgrade', seat, 'public'], (seen) => demandsCertificate.test(seen.body))
              : 'unknown';
          },
        ),
      ],
      // An agent that is in has one; what nginx rejects was sent.
      forbids: [gateway.linkUp, clientCertificateRejected],
      lookalikes: {
        'NGX-05': sign('the 400 is about the certificate, not about a header', (view) =>
          tri(demandsCertificate.test(nginx.publicSeen(view)?.body ?? '')),
        ),
      },
      predicts: ['nginx.agents.upgrades', 'nginx.api.answers', 'network.agents.upgrades'],
      remedy: (view) =>
        remedy(
          'give the agents a client certificate, or stop requiring one for this name',
          on(view, 'be', 'nginx -T | grep -n ssl_verify_client', nginxCommand(view, 'reload')),
        ),
      help: `ssl_verify_client is on: nginx answers 400 before it looks at the path. The request itself is fine, and so is the server's own certificate.`,
    },
    'TLS-10': {
      name: 'no common TLS version',
      title: 'nginx offers no TLS version that the agents speak (1.2 or 1.3)',
      necessary: bothFail(versionCodes),
      signature: [nginx.nginxRuns],
      lookalikes: { 'TLS-13': handshakeFails('gw', versionCodes), 'NET-05': handshakeFails('gw', versionCodes) },
      predicts: whole,
      remedy: (view) =>
        remedy('offer TLS 1.2 and 1.3', [
          'ssl_protocols TLSv1.2 TLSv1.3;',
          ...on(view, 'be', 'nginx -T | grep -n ssl_protocols', nginxCommand(view, 'reload')),
        ]),
      help: `The server ends the handshake with the alert "protocol version": what it offers and what the client offers have nothing in common. No certificate was looked at yet. The server block that was read first for an address and port decides on the versions for all of them.`,
    },
    'TLS-13': {
      name: 'no TLS on the public port',
      title: (view) => `port ${view.topology.publicPort} answers in plain text instead of TLS`,
      necessary: [...bothFail(plainCodes), nginx.nginxRuns],
      lookalikes: { 'TLS-10': handshakeFails('gw', plainCodes), 'NET-15': nginx.nginxRuns },
      predicts: whole,
      remedy: (view) =>
        remedy('listen with ssl', [
          `listen ${view.topology.publicPort} ssl;`,
          ...on(view, 'be', 'nginx -T | grep -nE "listen|ssl"', nginxCommand(view, 'reload')),
        ]),
      help: `The port is open and what answers there is not TLS: the listen directive lost its "ssl". Certificates and authorities have nothing to do with it.`,
    },
  },
);
