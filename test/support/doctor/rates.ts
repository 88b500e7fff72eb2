// Cases that one look at one instant cannot show: sessions that supersede each other, sizes that do not pass.
import type { Case } from './case.ts';
import { healthy } from './healthy.ts';
import * as w from './world.ts';

export const rateCases: readonly Case[] = [
  {
    name: 'NET-18 large packets are dropped',
    causes: ['NET-18'],
    proven: true,
    world: () =>
      healthy().put('canary', 'op', w.gatewayId, {
        outcome: 'timeout',
        code: null,
        message: 'the command did not end in time',
        onlySmall: { bytes: 64, lostBytes: 65_536 },
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
