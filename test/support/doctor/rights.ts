// Cases of rights: files that a service's user may not open, the socket between agent and launcher; and what listens on another address.
import { MESSAGES } from '../../../agents/gateway/messages.ts';
import { RUNTIME_MESSAGES } from '../../../agents/runtime/messages.ts';
import type { UnitState } from '../../../doctor/engine/index.ts';
import { agentGone, backendDown, type Case, directGets, offline, publicGets } from './case.ts';
import { backendContainer, healthy, healthyDocker, nginxContainer } from './healthy.ts';
import * as w from './world.ts';

const gatewayUnit = 'viworks-gateway-agent.service';
const looping: Partial<UnitState> = { ...w.failed, activeState: 'activating', subState: 'auto-restart', restarts: 9 };
const ended = (code: string, reason: string) =>
  w.said(RUNTIME_MESSAGES.programEnds, { code, errno: 'EACCES', reason, hint: 'ls -l it' });

const closed = (errno: string) =>
  w.said(MESSAGES.launcherAwaited, {
    code: 'VW_GATEWAY_LAUNCHER_UNREACHABLE',
    errno,
    reason: `the launcher does not answer on /run/viworks/launcher.sock: connect ${errno} /run/viworks/launcher.sock`,
  });

/** An agent that waits for its launcher: its start is not finished, and it does not dial. */
const waiting = (...lines: readonly string[]) =>
  offline(healthy(), { trying: false })
    .put(
      'unit.state',
      w.gw,
      'gateway',
      w.unit(gatewayUnit, { activeState: 'activating', subState: 'start', restarts: 1 }),
    )
    .put('log.tail', w.gw, 'gateway', w.log(...lines));

export const rightsCases: readonly Case[] = [
  {
    name: 'SYS-17 the identity is closed to the agent',
    causes: ['SYS-17'],
    proven: true,
    world: () =>
      agentGone(healthy())
        .put('unit.state', w.gw, 'gateway', w.unit(gatewayUnit, looping))
        .put(
          'log.tail',
          w.gw,
          'gateway',
          w.log(
            ended('VW_GATEWAY_IDENTITY_FORBIDDEN', 'this user may not read the identity, /var/lib/x/identity.json'),
          ),
        ),
  },
  {
    name: 'SYS-17 the store is closed to the backend',
    causes: ['SYS-17'],
    proven: true,
    world: () =>
      backendDown(healthy())
        .put('unit.state', 'be', 'backend', w.unit(w.backendUnit, looping))
        .put(
          'log.tail',
          'be',
          'backend',
          w.log(
            ended('VW_BACKEND_STATE', "cannot use the state directory: EACCES: permission denied, open '/var/lib/x/y'"),
          ),
        ),
  },
  ...(['EACCES', 'ENOENT', 'ECONNREFUSED'] as const).map(
    (errno): Case => ({
      name: `CMD-07 the launcher's socket: ${errno}`,
      causes: ['CMD-07'],
      proven: true,
      world: () => waiting(closed(errno)),
    }),
  ),
  {
    name: 'BE-11 the agents port on another address than nginx dials',
    causes: ['BE-11'],
    proven: true,
    world: () =>
      offline(publicGets(healthy(), w.answered(502))).put('tcp.listeners', 'be', '', [
        w.sshd,
        w.https,
        w.listener(8080, w.backendUnit),
        w.listener(8081, w.backendUnit, { address: '192.0.2.10' }),
      ]),
  },
  {
    name: 'trap: the agents port on one address, which is the one that nginx dials',
    causes: [],
    world: () =>
      healthy()
        .put('tcp.listeners', 'be', '', [
          w.sshd,
          w.https,
          w.listener(8080, w.backendUnit),
          w.listener(8081, w.backendUnit, { address: '192.0.2.10' }),
        ])
        .put('nginx.files', 'be', '', w.nginxSite(w.goodServer.replace('127.0.0.1:8081', '192.0.2.10:8081'))),
  },
  {
    name: 'NET-22 loopback is down on the backend host',
    causes: ['NET-22'],
    proven: true,
    world: () => {
      const world = offline(publicGets(directGets(healthy(), { ...w.silent, reached: 'none' }), w.answered(504)));
      world.put('tcp.connect', 'be', 'agents', {
        address: '127.0.0.1',
        port: 8081,
        outcome: 'timeout',
        milliseconds: 9,
      });
      return world.put('host.loopback', 'be', '', { up: false, addresses: ['127.0.0.1'] });
    },
    whenBlind: ['NET-07'],
  },
  {
    name: 'NET-22 loopback is down on the gateway (latent)',
    causes: [],
    latent: ['NET-22'],
    world: () => healthy().put('host.loopback', w.gw, '', { up: true, addresses: [] }),
  },
  {
    name: 'NET-23 nginx listens on loopback only',
    causes: ['NET-23'],
    proven: true,
    world: () => {
      const world = offline(healthy());
      for (const seat of ['op', w.gw] as const) {
        world.put('tcp.connect', seat, 'public', { address: '', port: 443, outcome: 'refused', milliseconds: 1 });
        world.put('ws.upgrade', seat, 'public', w.upgrade(w.refused));
        world.write('tls.certificate', seat, 'public', { status: 'unknown', reason: 'unreachable', detail: '' });
      }
      return world.put('tcp.listeners', 'be', '', [
        w.sshd,
        { ...w.https, address: '127.0.0.1' },
        w.listener(8080, w.backendUnit),
        w.listener(8081, w.backendUnit),
      ]);
    },
  },
  {
    name: 'DOC-06 the backend container is on another network',
    causes: ['DOC-06'],
    world: () =>
      offline(publicGets(healthyDocker(), w.answered(502))).put('docker.containers', 'be', '', [
        { ...backendContainer, networks: [{ name: 'bridge', address: '172.17.0.2', aliases: [] }] },
        nginxContainer,
      ]),
  },
  {
    name: 'trap: no common network, and nginx dials the published port',
    causes: [],
    world: () =>
      healthyDocker()
        .put('docker.containers', 'be', '', [
          { ...backendContainer, networks: [{ name: 'bridge', address: '172.17.0.2', aliases: [] }] },
          nginxContainer,
        ])
        .put('nginx.files', 'be', '', w.nginxSite(w.goodServer.replaceAll('127.0.0.1', '172.18.0.1'))),
  },
  {
    name: 'DOC-07 a file that was replaced on the host (latent)',
    causes: [],
    latent: ['DOC-07'],
    world: () =>
      healthyDocker()
        .put('docker.containers', 'be', '', [backendContainer, { ...nginxContainer, pid: 901 }])
        .put('docker.replaced', 'be', '', [
          { pid: 901, source: '/srv/my site/viworks.conf', destination: '/etc/nginx/conf.d/viworks.conf' },
        ]),
  },
  {
    name: "trap: a file of another program's container was replaced",
    causes: [],
    world: () => healthyDocker().put('docker.replaced', 'be', '', [{ pid: 77, source: '/a', destination: '/b' }]),
  },
  {
    name: 'trap: the launcher was out of reach for a moment, and answers again',
    causes: [],
    world: () =>
      healthy().put('log.tail', w.gw, 'gateway', w.log(closed('EACCES'), w.said(MESSAGES.ready), 'HELLO accepted')),
  },
];
