// What is said where no cause is proven: the newest own words of the programs that have to do with the broken hop, the last good contact,
// and the one command to run next. Logs are quoted here, never judged.

import { excerpt } from '../signs/index.ts';
import {
  createView,
  type GatewayTopology,
  type HopId,
  type LastWord,
  type NextStep,
  type Part,
  type Seat,
  type View,
} from '../vocabulary/index.ts';
import type { Scene } from './candidates.ts';
import type { Judgement } from './verdicts.ts';

interface Speaker {
  readonly seat: Extract<Seat, 'be' | 'gw'>;
  readonly part: Part;
}

const agent: Speaker = { seat: 'gw', part: 'gateway' };
const launcher: Speaker = { seat: 'gw', part: 'launcher' };
const backend: Speaker = { seat: 'be', part: 'backend' };
const nginxErrors: Speaker = { seat: 'be', part: 'nginx-error' };
const nginx: Speaker = { seat: 'be', part: 'nginx' };

/** Whose logs speak of a hop, the nearest first. */
const speakers: Readonly<Record<HopId, readonly Speaker[]>> = {
  gateway: [agent, launcher],
  dns: [agent],
  tcp: [agent, nginx],
  tls: [nginxErrors, agent],
  vhost: [nginxErrors, nginx, agent],
  route: [nginxErrors, backend, agent],
  'ws-port': [backend, nginxErrors],
  upgrade: [nginxErrors, backend, agent],
  hello: [backend, agent],
  heartbeat: [agent, backend, nginxErrors],
  registry: [backend, agent],
  canary: [agent, launcher, backend],
  api: [backend, nginxErrors],
  host: [agent, backend],
  access: [agent, backend],
};

/** Of one log: the last line before the end is often only its consequence. */
const linesOfOne = 3;

/** The newest lines about a hop, as they are seen from one gateway; empty when no log could be read. */
export function lastWords(scene: Scene, hop: HopId, gateway: GatewayTopology | null): readonly LastWord[] {
  const view = createView(scene.store, scene.topology, gateway);
  return speakers[hop].flatMap((speaker) => {
    const { host, command } = whereOf(scene, speaker, gateway);
    const lines = view.value('log.tail', speaker.seat, speaker.part)?.lines ?? [];
    const worded = lines.map(({ atMs, text }) => ({ atMs, text: excerpt(text) })).filter(({ text }) => text !== '');
    return worded.slice(-linesOfOne).map(({ atMs, text }) => ({ part: speaker.part, host, atMs, text, command }));
  });
}

/** Since when the backend has not heard from a gateway; null where it has, or where that is not known. */
export function lastContact(scene: Scene, gateway: GatewayTopology): string | null {
  const entry = createView(scene.store, scene.topology, gateway).value('registry.entry', 'op', gateway.id);
  if (!entry || entry.online || entry.lastSeenAtMs === null) return null;
  return `the backend last heard from ${gateway.id} at ${new Date(entry.lastSeenAtMs).toISOString().slice(0, 19)}Z`;
}

/** The log nearest to the hop; where it could not be read, the command that reads it. */
export function nextStep(scene: Scene, hop: HopId, gateway: GatewayTopology | null): NextStep | null {
  const view = createView(scene.store, scene.topology, gateway);
  const places = speakers[hop].map((speaker) => ({
    ...whereOf(scene, speaker, gateway),
    ...readableIn(view, speaker),
  }));
  const first =
    places.find(({ command, spoken }) => command !== '' && spoken) ?? places.find(({ command }) => command !== '');
  if (!first) return null;
  return {
    text: first.spoken ? `read on in the log on ${first.host}` : `read the log on ${first.host}`,
    command: first.command,
  };
}

/** Where a run was inconclusive: the first thing that has to be seen and was not. */
export function nextLook(judgements: readonly Judgement[]): NextStep | null {
  const open = judgements.find(({ check, verdict }) => check.required && verdict.state === 'unknown');
  const missing = open?.reads.find(
    (read) => read.status === 'unknown' && read.fact !== null && read.fact.evidence.command !== '',
  );
  if (!open || !missing?.fact) return null;
  return { text: `see by hand whether ${open.check.title}`, command: missing.fact.evidence.command };
}

function readableIn(view: View, { seat, part }: Speaker): { readonly spoken: boolean } {
  return { spoken: (view.value('log.tail', seat, part)?.lines.length ?? 0) > 0 };
}

function whereOf(
  { store, topology }: Scene,
  { seat, part }: Speaker,
  gateway: GatewayTopology | null,
): { readonly host: string; readonly command: string } {
  const host = seat === 'be' ? topology.backend.host.name : (gateway?.host.name ?? '');
  const found = store.find('log.tail', seat === 'be' ? 'be' : `gw:${gateway?.id ?? ''}`, part);
  return { host: found?.evidence.host ?? host, command: found?.evidence.command ?? '' };
}
