// Every section of a recorded run, cut at any byte or ended by its deadline, through the same scripts' parsers as a live run: nothing is
// proven that the whole run does not prove, and without a section that judges something the installation is not healthy.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFakeClock } from '../../../test/support/fake-clock.ts';
import { createFactStore, type Report } from '../../engine/index.ts';
import { judgeFacts } from '../../judge.ts';
import { type Recording, readRecording } from '../../output/index.ts';
import type { HostLink } from '../../probes/link.ts';
import { noHints } from './hints.ts';
import { lookAtSite } from './rounds.ts';
import { createRunLog } from './run-log.ts';
import type { Site, SiteId } from './sites.ts';

const directory = join(import.meta.dirname, 'sections');
const recordings = readdirSync(directory).map((name) => {
  const read = readRecording(readFileSync(join(directory, name), 'utf8'));
  if (!read.ok) throw new Error(`${name}: ${read.message}`);
  return [name, read.recording] as const;
});

interface Told {
  readonly site: SiteId;
  readonly id: string;
  readonly text: string;
  readonly rc: number;
}

/** `cap`: the host kept the beginning (of a log the end); `deadline`: the command was ended; `silent`: before it said anything. */
interface SectionCut {
  readonly site: SiteId;
  readonly id: string;
  readonly how: 'cap' | 'deadline' | 'silent' | 'killed';
  /** Of the text, from 0 to 1. */
  readonly at: number;
}

function toldIn({ events }: Recording): readonly Told[] {
  return events.flatMap((event) => {
    if (event.type !== 'probe.end' || event.raw === null) return [];
    const rc = Number(/^exit (\d+)/.exec(event.detail)?.[1] ?? 0);
    return [{ site: event.vantage as SiteId, id: event.probe, text: event.raw, rc }];
  });
}

function frame({ id, text, rc }: Told, nonce: string, cut: SectionCut | undefined): string {
  const body = text.replaceAll(/^--[0-9a-f]{24} /gm, `--${nonce} `);
  const length = Math.floor(body.length * (cut?.at ?? 1));
  switch (cut?.how) {
    case undefined:
      return `\n@${nonce} ${id} ${rc} ${Buffer.byteLength(body)}\n${body}`;
    case 'cap': {
      const kept = id.startsWith('log.tail') ? body.slice(body.length - length) : body.slice(0, length);
      return `\n@${nonce} ${id} ${rc} ${Buffer.byteLength(kept)}+\n${kept}`;
    }
    default: {
      const kept = cut?.how === 'silent' ? '' : body.slice(0, length);
      return `\n@${nonce} ${id} ${cut?.how === 'killed' ? 137 : 124} ${Buffer.byteLength(kept)}\n${kept}`;
    }
  }
}

/** A host that says what was recorded. */
function linkOf(told: readonly Told[], cut: SectionCut | undefined): HostLink {
  return {
    via: '',
    brokeAtMs: null,
    roundTripMs: null,
    async shell() {
      const stdin = new PassThrough();
      const stdout = new PassThrough();
      stdin.once('data', (script: Buffer) => {
        const nonce = /^N=(\w+)/.exec(script.toString())?.[1] ?? '';
        const frames = told.map((item) => frame(item, nonce, cut?.id === item.id ? cut : undefined));
        stdout.write(`${frames.join('')}\n@${nonce} end 0 0\n`);
      });
      const ended = new Promise<void>(() => undefined);
      return { stdin, stdout, ended, complaint: () => '', kill: () => undefined };
    },
    dial: () => Promise.reject(new Error('nothing is dialled')),
    confirm: async () => undefined,
    close: async () => undefined,
  };
}

/** The recorded run with its rounds read again. */
async function replay(recording: Recording, cut?: SectionCut): Promise<Report> {
  const { topology, meta, events } = recording;
  const facts = createFactStore(events.flatMap((event) => (event.type === 'fact' ? [event.fact] : [])));
  const all = toldIn(recording);
  const ids: SiteId[] = ['be', ...topology.gateways.map((gateway) => `gw:${gateway.id}` as const)];
  for (const id of ids) {
    const ref = id === 'be' ? topology.backend.host : topology.gateways.find((item) => `gw:${item.id}` === id)?.host;
    const told = all.filter((item) => item.site === id);
    const epoch = Number.parseFloat(told.find((item) => item.id === 'host.clock')?.text ?? '');
    const clock = createFakeClock(Math.round(epoch * 1000));
    const store = createFactStore([]);
    const { signal } = new AbortController();
    const log = createRunLog({ clock, store, signal, listeners: [] });
    const site: Site = {
      id,
      ref: ref ?? topology.backend.host,
      link: linkOf(told, cut?.site === id ? cut : undefined),
      login: null,
    };
    await lookAtSite({ topology, hints: noHints, sudo: false, clock, signal, log, mute: () => undefined }, site);
    for (const fact of store.all()) facts.add(fact);
  }
  return judgeFacts(facts, topology, meta);
}

const proven = ({ causes, latent }: Report) =>
  [...causes, ...latent].filter((cause) => cause.confidence === 'proven').map((cause) => cause.code);

/** Read as the end of a log, or told in no fact of the round: dials stand on the trust, and they are not made again here. */
const mayLack = /^log\.tail|^nginx\.error-log|^process\.cpu$|^tls\.trust$/;

describe.each(recordings)('%s', (_, recording) => {
  const told = toldIn(recording);

  test('the whole of it gives the report of the run', async () => {
    const report = await replay(recording);
    const was = judgeFacts(recording.facts, recording.topology, recording.meta);
    expect([report.verdict, report.complete, proven(report)]).toEqual([was.verdict, was.complete, proven(was)]);
  });

  test('any section, cut anywhere', async () => {
    const whole = judgeFacts(recording.facts, recording.topology, recording.meta);
    const wanted = new Set(proven(whole));
    const which = fc.record({
      index: fc.nat(told.length - 1),
      how: fc.constantFrom('cap' as const, 'deadline' as const, 'silent' as const, 'killed' as const),
      at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(which, async ({ index, how, at }) => {
        const section = told[index];
        // A resolver that is waited for in vain is seen, not missed.
        if (!section || (section.id === 'host.name' && how !== 'cap')) return;
        const report = await replay(recording, { site: section.site, id: section.id, how, at });
        const what = `${section.id} of ${section.site}, ${how} at ${at}`;
        expect(
          proven(report).filter((code) => !wanted.has(code)),
          what,
        ).toEqual([]);
        if (!mayLack.test(section.id))
          expect([report.verdict === 'healthy', report.complete], what).toEqual([false, false]);
      }),
      { numRuns: 60 },
    );
  });
});
