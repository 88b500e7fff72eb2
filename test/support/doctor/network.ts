// Cases between the hosts: names, routes, filters, certificates, and the doctor's own way in.
import type { Case } from './case.ts';
import { offline, publicGets } from './case.ts';
import { healthy } from './healthy.ts';
import * as w from './world.ts';

const fromGateway = (outcome: 'timeout' | 'refused' | 'unreachable'): w.World => {
  const world = offline(healthy());
  world.put('tcp.connect', w.gw, 'public', { address: '192.0.2.10', port: 443, outcome, milliseconds: 3000 });
  world.put(
    'tls.certificate',
    w.gw,
    'public',
    w.certificate({ handshake: 'timeout', error: null, chain: [], verification: '' }),
  );
  world.put('http.response', w.gw, 'public-api', {
    url: '',
    outcome: 'timeout',
    status: null,
    headers: {},
    body: '',
    milliseconds: 3000,
  });
  return world.put('ws.upgrade', w.gw, 'public', w.upgrade({ ...w.nothing, reached: 'none', ended: outcome }));
};

const resolves = (addresses: readonly string[], error: 'nxdomain' | 'temporary' | null) => ({
  name: w.topology.serverName,
  addresses,
  error,
  source: 'resolver' as const,
  milliseconds: 2,
});

const filtered = (ended: 'timeout' | 'refused'): w.World => {
  const world = offline(publicGets(healthy(), w.answered(ended === 'timeout' ? 504 : 502)));
  for (const target of ['direct', 'direct-root'])
    world.put('ws.upgrade', 'be', target, w.upgrade({ ...w.direct, ...w.nothing, reached: 'none', ended }));
  world.put('tcp.connect', 'be', 'agents', { address: '127.0.0.1', port: 8081, outcome: ended, milliseconds: 1 });
  world.write('tcp.queue', 'be', 'agents', { status: 'unknown', reason: 'timeout', detail: '' });
  const action = ended === 'timeout' ? 'drop' : 'reject';
  return world.put('firewall.rules', 'be', '', [
    {
      chain: 'INPUT',
      direction: 'in',
      action,
      port: 8081,
      source: null,
      destination: null,
      interface: null,
      packets: 12,
      text: `-A INPUT -p tcp --dport 8081 -j ${action.toUpperCase()}`,
    },
  ]);
};

const judged = (verification: string): w.World => {
  const world = offline(healthy()).put('tls.certificate', w.gw, 'public', w.certificate({ verification }));
  return world.put(
    'ws.upgrade',
    w.gw,
    'public',
    w.upgrade({ ...w.nothing, reached: 'tcp', ended: 'tls-error', tlsError: verification }),
  );
};

const upperExpired = (place: 'served' | 'trust'): w.World => {
  const [leaf] = w.certificate().chain;
  const world = judged('CERT_HAS_EXPIRED');
  if (!leaf) return world;
  const above = { ...leaf, subject: 'CN=acme intermediate', notAfterMs: leaf.notBeforeMs };
  const culprit = { depth: 1, place, certificate: above };
  return world.put('tls.certificate', w.gw, 'public', w.certificate({ verification: 'CERT_HAS_EXPIRED', culprit }));
};

export const networkCases: readonly Case[] = [
  {
    name: 'NET-01 hosts entry',
    causes: ['NET-01'],
    proven: true,
    world: () => {
      const world = fromGateway('refused').put('dns.answer', w.gw, '', {
        ...resolves(['192.0.2.99'], null),
        source: 'hosts-file',
      });
      return world.put('host.hosts-file', w.gw, '', [
        { line: 7, address: '192.0.2.99', names: ['agents.example.test'], text: '192.0.2.99 agents.example.test' },
      ]);
    },
  },
  {
    name: 'NET-02 resolver dead',
    causes: ['NET-02'],
    proven: true,
    world: () => fromGateway('unreachable').put('dns.answer', w.gw, '', resolves([], 'temporary')),
  },
  {
    name: 'NET-03 no such name',
    causes: ['NET-03'],
    proven: true,
    world: () =>
      fromGateway('unreachable')
        .put('dns.answer', w.gw, '', resolves([], 'nxdomain'))
        .put('dns.answer', 'op', '', resolves([], 'nxdomain'))
        .put('dns.answer', 'be', '', resolves([], 'nxdomain')),
  },
  {
    name: 'NET-02 resolver dead, dialled by address it works; the name is private',
    causes: ['NET-02'],
    proven: true,
    world: () =>
      offline(healthy())
        .put('dns.answer', w.gw, '', resolves([], 'temporary'))
        .put('dns.answer', 'op', '', resolves([], 'nxdomain'))
        .put('dns.answer', 'be', '', { ...resolves(['192.0.2.10'], null), source: 'hosts-file' }),
  },
  {
    name: 'NET-03 no such name, although the backend knows itself by /etc/hosts',
    causes: ['NET-03'],
    proven: true,
    world: () =>
      offline(healthy())
        .put('dns.answer', w.gw, '', resolves([], 'nxdomain'))
        .put('dns.answer', 'op', '', resolves([], 'nxdomain'))
        .put('dns.answer', 'be', '', { ...resolves(['192.0.2.10'], null), source: 'hosts-file' }),
  },
  { name: 'NET-05 dropped for this gateway', causes: ['NET-05'], proven: true, world: () => fromGateway('timeout') },
  {
    name: 'NET-06 own egress rule',
    causes: ['NET-06'],
    proven: true,
    world: () =>
      fromGateway('refused').put('firewall.rules', w.gw, '', [
        {
          chain: 'OUTPUT',
          direction: 'out',
          action: 'reject',
          port: 443,
          source: null,
          destination: null,
          interface: null,
          packets: 3,
          text: '-A OUTPUT -p tcp --dport 443 -j REJECT',
        },
      ]),
  },
  { name: 'NET-07 8081 dropped', causes: ['NET-07'], proven: true, world: () => filtered('timeout') },
  { name: 'NET-08 8081 rejected', causes: ['NET-08'], proven: true, world: () => filtered('refused') },
  { name: 'NET-09 no route', causes: ['NET-09'], proven: true, world: () => fromGateway('unreachable') },
  {
    name: 'TLS-01 expired',
    causes: ['TLS-01'],
    proven: true,
    world: () => {
      const world = judged('CERT_HAS_EXPIRED');
      for (const seat of ['op', 'be'] as const)
        world.put('tls.certificate', seat, 'public', w.certificate({ verification: 'CERT_HAS_EXPIRED' }));
      const [leaf] = w.certificate().chain;
      return leaf
        ? world.put('tls.disk-certificate', 'be', '', { path: '/etc/viworks/cert.pem', certificate: leaf, mtimeMs: 0 })
        : world;
    },
  },
  {
    name: 'TLS-02 renewed, not loaded',
    causes: ['TLS-02'],
    proven: true,
    world: () => {
      const world = judged('CERT_HAS_EXPIRED');
      const [leaf] = w.certificate().chain;
      if (!leaf) return world;
      return world.put('tls.disk-certificate', 'be', '', {
        path: '/etc/viworks/cert.pem',
        certificate: { ...leaf, serial: '02', notAfterMs: leaf.notAfterMs + 1e10 },
        mtimeMs: 0,
      });
    },
    whenBlind: ['TLS-01'],
  },
  {
    name: 'TLS-03 another name',
    causes: ['TLS-03'],
    proven: true,
    world: () => judged('ERR_TLS_CERT_ALTNAME_INVALID'),
  },
  {
    name: 'TLS-05 authority unknown to the gateway',
    causes: ['TLS-05'],
    proven: true,
    world: () => judged('UNABLE_TO_GET_ISSUER_CERT_LOCALLY'),
  },
  {
    name: 'TLS-04 the intermediate is not served',
    causes: ['TLS-04'],
    world: () => {
      const world = judged('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      const seen = w.certificate({ verification: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
      for (const seat of ['op', 'be'] as const) world.put('tls.certificate', seat, 'public', seen);
      const [leaf] = seen.chain;
      if (!leaf) return world;
      return world.put('tls.disk-certificate', 'be', '', {
        path: '/etc/viworks/cert.pem',
        certificate: leaf,
        mtimeMs: 0,
      });
    },
  },
  {
    name: 'TLS-14 an expired intermediate is served',
    causes: ['TLS-14'],
    world: () => upperExpired('served'),
  },
  {
    name: 'TLS-14 the root in the trust file has expired',
    causes: ['TLS-14'],
    world: () => upperExpired('trust'),
  },
  {
    name: 'TLS-15 not valid yet, and the clocks are right',
    causes: ['TLS-15'],
    world: () => judged('CERT_NOT_YET_VALID'),
    whenBlind: [],
  },
  {
    name: 'TLS-06 client certificate required',
    causes: ['TLS-06'],
    proven: true,
    world: () =>
      offline(
        publicGets(healthy(), { ...w.answered(400), body: '<center>No required SSL certificate was sent</center>' }),
      ),
  },
  {
    name: 'CLK-01 gateway clock behind',
    causes: ['CLK-01'],
    proven: true,
    world: () =>
      judged('CERT_NOT_YET_VALID').put('host.clock', w.gw, '', { epochMs: 0, offsetMs: -172_800_000, errorMs: 50 }),
  },
  ...(
    [
      ['SSH-01', 'auth-denied'],
      ['SSH-02', 'host-key-changed'],
      ['SSH-04', 'too-many-keys'],
      ['SSH-08', 'key-not-offered'],
      ['SSH-09', 'timeout'],
      ['SSH-13', 'cut'],
      ['SSH-14', 'no-shell'],
      ['SSH-15', 'more-wanted'],
      ['SSH-16', 'account-closed'],
      ['SSH-17', 'cut-off'],
      ['SSH-18', 'protocol-error'],
      ['SSH-19', 'name-unresolved'],
      ['SSH-20', 'host-key-other-type'],
      ['SSH-21', 'not-tried'],
    ] as const
  ).map(
    ([code, outcome]): Case => ({
      name: `${code} takes sight only`,
      causes: [],
      sight: [code],
      exitCode: 5,
      world: () =>
        healthy().put('host.access', 'op', 'be', {
          outcome,
          user: 'root',
          address: '192.0.2.10',
          port: 22,
          message: outcome,
          milliseconds: 5,
          expectedKey: 'SHA256:a',
          offeredKey: 'SHA256:b',
        }),
    }),
  ),
];
