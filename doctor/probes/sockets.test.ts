// A list of sockets that was cut off proves nothing of what is not in it.
import { expect, test } from 'vitest';
import { backendAsk } from '../../test/support/doctor/ask.ts';
import type { HostRound } from './probe.ts';
import { listenersProbe } from './sockets.ts';

const text = 'LISTEN 0 511 127.0.0.1:8080 0.0.0.0:* users:(("node",pid=7,fd=18)) ino:1 sk:1\n';
const round = (rc: number, truncated: boolean): HostRound => ({
  vantage: 'be',
  host: 'be1',
  via: '',
  atMs: 0,
  heardMs: 0,
  nonce: '',
  root: true,
  sections: new Map([['tcp.listeners', { id: 'tcp.listeners', rc, text, truncated }]]),
  gap: null,
});

test.each([
  ['whole', 0, false, { status: 'known' }],
  ['longer than the cap', 0, true, { status: 'unknown', reason: 'cut' }],
  ['ended by its deadline', 124, false, { status: 'unknown', reason: 'cut' }],
] as const)('%s', (_name, rc, truncated, reading) => {
  expect(listenersProbe.facts(round(rc, truncated), backendAsk)[0]?.reading).toMatchObject(reading);
});
