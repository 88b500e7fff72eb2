// Parsers against what real hosts printed: one file a capture, in cases/<parser>/. A bug report becomes a new file.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { redactText } from '../../agents/runtime/index.ts';
import { parseAgentConfig } from './agent-config.ts';
import { innerProcesses, parseContainers, parseDockerLog, parseInnerSockets } from './docker-output.ts';
import { parseNameAnswer } from './host-output.ts';
import { hostProbes } from './host-probes.ts';
import { nginxProcesses, parseErrorLog, parseNginxFiles, parseNginxTest } from './nginx-output.ts';
import { parseJournal, parseProcesses, parseUnits } from './service-output.ts';
import { parseProcSockets, parseSs } from './socket-output.ts';

interface Captured {
  /** Where and when it was printed. */
  readonly about: string;
  readonly text: string;
  readonly expect: unknown;
}

/** A moment after the captures were made, so that nothing in them is young. */
const later = Date.parse('2026-11-21T00:00:00Z');
const boot = Date.parse('2026-11-20T15:49:13Z');
const all = { later: '', bootMs: boot };

const parsers: Readonly<Record<string, (text: string) => unknown>> = {
  // A probe's captures are in the folder of its id, without the group in front.
  ...Object.fromEntries(hostProbes.flatMap(({ id, parse }) => (parse ? [[id.slice(id.indexOf('.') + 1), parse]] : []))),
  'name-answer': (text) =>
    parseNameAnswer(text, { name: 'agents.example.test', rc: text === '' ? 2 : 0, hostsAddresses: ['198.51.100.140'] }),
  ss: parseSs,
  'proc-sockets': parseProcSockets,
  units: (text) => parseUnits(text, later),
  processes: (text) => parseProcesses(text, all),
  journal: (text) => parseJournal(text, { sinceMs: null, cut: false, max: 120 }),
  'nginx-files': (text) => {
    const nonce = /--([0-9a-f]{24}) /.exec(text)?.[1] ?? '';
    const { entry, files, unreadable } = parseNginxFiles(text, nonce);
    return {
      entry,
      unreadable,
      files: files.map(({ path, mtimeMs, text: body }) => ({ path, mtimeMs, lines: body.split('\n').length })),
    };
  },
  'nginx-processes': (text) => nginxProcesses(parseProcesses(text, all), null),
  'nginx-test': parseNginxTest,
  'error-log': (text) => parseErrorLog(text, { zoneMs: 3_600_000, sinceMs: null, cut: false, cutAtBytes: 16_384 }),
  config: (text) => parseAgentConfig(text, 'gateway'),
  containers: parseContainers,
  'docker-log': (text) => parseDockerLog(text, { sinceMs: null, cut: false }),
  'inner-sockets': (text) => parseProcSockets(parseInnerSockets(text, Number(/--pid (\d+)/.exec(text)?.[1])) ?? ''),
  'inner-processes': (text) => parseProcesses(innerProcesses(text), all),
};

const root = join(import.meta.dirname, 'cases');

test('every parser has captures, and every folder a parser', () => {
  expect(readdirSync(root).sort()).toEqual(Object.keys(parsers).sort());
});

describe.each(Object.entries(parsers))('%s', (folder, parse) => {
  const names = readdirSync(join(root, folder)).filter((name) => name.endsWith('.json'));
  test.each(names)('%s', (name) => {
    const captured = JSON.parse(readFileSync(join(root, folder, name), 'utf8')) as Captured;
    // JSON has no undefined; what is compared is what a recording would keep.
    expect(JSON.parse(JSON.stringify(parse(captured.text)))).toEqual(captured.expect);
    // What is parsed went through the redaction: nothing that a parser needs may look like a secret to it.
    expect(JSON.parse(JSON.stringify(parse(redactText(captured.text))))).toEqual(captured.expect);
  });
});

test.each([
  ['identity', 'garbage'],
  ['counters', 'TcpExt: A B\nTcpExt: 1 2'],
  ['nginx-files', ''],
  ['nginx-test', ''],
  ['config', 'nothing of the kind'],
])('%s refuses what it cannot read', (name, text) => {
  expect(() => parsers[name]?.(text)).toThrow();
});
