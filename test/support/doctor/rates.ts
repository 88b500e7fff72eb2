// Cases that one look at one instant cannot show: sessions that supersede each other, sizes that do not pass.
import type { Case } from './case.ts';
import { healthy } from './healthy.ts';
import * as w from './world.ts';

const stranger = (port: number, change = {}) =>
  w.listener(port, 'session-3.scope', { pid: 777, process: 'perl', uid: 65534, state: 'T', ...change });
const shared = (...strangers: ReturnType<typeof stranger>[]) =>
  healthy().put('tcp.listeners', 'be', '', [
    w.sshd,
    w.https,
    w.listener(8080, w.backendUnit),
    w.listener(8081, w.backendUnit),
    ...strangers,
  ]);
const worker = (pid: number, state: string) => ({ pid, startedAtMs: 1_700_000_000_000, shuttingDown: false, state });
const workers = (world: w.World, ...states: readonly string[]) => {
  const [first] = world.facts().filter((fact) => fact.key === 'nginx.processes');
  if (first?.key !== 'nginx.processes' || first.reading.status !== 'known') throw new Error('no nginx');
  const { value } = first.reading;
  const startedAtMs = value.workers[0]?.startedAtMs ?? null;
  const own = states.map((state, index) => ({ ...worker(301 + index, state), startedAtMs }));
  return world.put('nginx.processes', 'be', '', { ...value, workers: own });
};

export const rateCases: readonly Case[] = [
  {
    name: 'BE-21 a stopped process shares the agents port',
    causes: ['BE-21'],
    proven: true,
    world: () =>
      shared(stranger(8081))
        .put('ws.upgrade', 'be', 'direct', w.upgrade({ ...w.direct, ...w.silent, attempts: 6, failures: 3 }))
        .put('tcp.queue', 'be', 'agents', {
          address: '127.0.0.1',
          port: 8081,
          backlog: 511,
          before: 0,
          during: 3,
          after: null,
          dialConnected: true,
          heldMs: 300,
        }),
  },
  {
    name: 'BE-21 another program shares it, and answers otherwise',
    causes: ['BE-21'],
    proven: true,
    world: () =>
      shared(stranger(8081, { state: 'S', process: 'node' })).put(
        'ws.upgrade',
        'be',
        'direct',
        w.upgrade({ ...w.direct, ...w.answered(404), attempts: 6, failures: 2 }),
      ),
  },
  {
    name: 'BE-21 a stopped process shares the API port',
    causes: ['BE-21'],
    proven: true,
    world: () =>
      shared(stranger(8080)).put('http.response', 'be', 'api-health', {
        url: '',
        outcome: 'timeout',
        connected: true,
        status: null,
        headers: {},
        body: '',
        milliseconds: 2200,
        attempts: 6,
        failures: 4,
      }),
  },
  {
    name: 'BE-21 both holders answer',
    causes: [],
    latent: ['BE-21'],
    world: () => shared(stranger(8081, { state: 'S' })),
  },
  {
    name: 'NGR-12 one of two workers is stopped, and part of the dials hang',
    causes: ['NGR-12'],
    proven: true,
    world: () =>
      workers(healthy(), 'S', 'T').put(
        'ws.upgrade',
        'be',
        'public',
        w.upgrade({ ...w.silent, attempts: 6, failures: 3 }),
      ),
  },
  {
    name: 'NGR-12 one of two workers is stopped, and the other takes all dials',
    causes: [],
    latent: ['NGR-12'],
    world: () => workers(healthy(), 'S', 'T'),
  },
  {
    name: 'NET-18 large packets are dropped',
    causes: ['NET-18'],
    proven: true,
    world: () =>
      healthy().put('canary', 'op', w.gatewayId, {
        outcome: 'timeout',
        code: null,
        message: 'the command did not end in time',
        onlySmall: { bytes: 64, lostBytes: 65_536, lostOn: 'to-gateway' },
        exitCode: null,
        milliseconds: 5000,
      }),
  },
  {
    name: 'WS-08 two agents with one identity',
    causes: ['WS-08'],
    proven: true,
    world: () => {
      const lost = (remote: string) =>
        w.said({ code: 'BE_SESSION_LOST' }, { gateway: w.gatewayId, closeCode: 4002, reason: 'superseded', remote });
      const now = Date.UTC(2026, 10, 20, 3, 12, 7);
      const lines = ['192.0.2.20', '192.0.2.21', '192.0.2.20', '192.0.2.21'].map((remote, index) => ({
        atMs: now - index * 2000,
        text: lost(remote),
      }));
      return healthy().put('log.tail', 'be', 'backend', { ...w.log(), lines });
    },
  },
];
