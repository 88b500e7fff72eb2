// Two looks at one error log: what was written between them is marked, and nothing else is.
import { expect, test } from 'vitest';
import type { LogTail } from '../engine/index.ts';
import { errorLogAgainFact, errorLogScript, seenLogs } from './nginx-log.ts';
import type { HostRound } from './probe.ts';
import { Sections } from './sections.ts';

const line = (second: number, text: string) => `2026/11/20 03:12:0${second} [error] 7#7: *1 ${text}`;

function round(sections: Readonly<Record<string, string>>): HostRound {
  const entries = Object.entries({ 'host.clock': '1763608320 +0000', ...sections });
  return {
    vantage: 'be',
    host: 'be1',
    via: '',
    atMs: 0,
    heardMs: 0,
    nonce: '',
    root: true,
    gap: null,
    sections: new Sections(entries.map(([id, text]) => ({ id, text, rc: 0, truncated: false }))),
  };
}

function tail(first: HostRound, second: HostRound, inContainer = false): LogTail | null {
  const fact = errorLogAgainFact(first, second, { sinceMs: Date.UTC(2026, 10, 20), inContainer });
  return fact?.key === 'log.tail' && fact.reading.status === 'known' ? fact.reading.value : null;
}

test('a file: all that the second look brings is late', () => {
  const first = round({ 'nginx.error-log': `\n--file /var/log/nginx/error.log 77 90\n${line(1, 'old')}` });
  expect(errorLogScript(seenLogs(first))).toContain("'/var/log/nginx/error.log|77 90'");
  const second = round({ 'nginx.error-log': `\n--file /var/log/nginx/error.log 77 180\n${line(1, 'new')}` });
  const seen = tail(first, second);
  expect(seen?.again).toBe(true);
  expect(seen?.lines.map(({ text, late }) => [text.slice(-3), late])).toEqual([
    ['old', undefined],
    ['new', true],
  ]);
});

test('a container: what Docker had not shown before', () => {
  const stamp = (nano: number, text: string) => `2026-11-20T03:12:01.00000000${nano}Z ${line(1, text)}`;
  const docker = (...lines: readonly string[]) => round({ 'nginx.error-log': '', 'log.tail.nginx': lines.join('\n') });
  const again = docker(`2026-11-20T03:12:01.001Z ${line(1, 'old')}`, `2026-11-20T03:12:02.002Z ${line(2, 'new')}`);
  expect(
    tail(docker(`2026-11-20T03:12:01.001Z ${line(1, 'old')}`), again, true)?.lines.map(({ late }) => late),
  ).toEqual([undefined, true]);
  expect(tail(docker(), docker(stamp(1, 'new')), true)?.lines.map(({ late }) => late)).toEqual([true]);
});

test.each([
  ['the first look', { 'nginx.error-log': '!permission no' }, { 'nginx.error-log': '--file /l 1 0\n' }],
  ['the second', { 'nginx.error-log': '--file /l 1 0\n' }, {}],
  ['no log is a file', { 'nginx.error-log': '' }, { 'nginx.error-log': '' }],
] as const)('%s saw nothing: the first stands as it is', (_name, first, second) => {
  expect(tail(round(first), round(second))).toBeNull();
});
