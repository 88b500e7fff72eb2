// One live run as a whole: collects under a deadline, judges, and gives the report with the text of its recording. Knows no output.
import { randomBytes } from 'node:crypto';
import { BUILD, type Clock, interruptCode, isAbort } from '../../../agents/runtime/index.ts';
import { createFactStore, type Report, type RunEvent, type RunMeta, type Topology } from '../../engine/index.ts';
import { proposalsOf } from '../../fixes.ts';
import { decidedChecks, judgeFacts } from '../../judge.ts';
import { unitProposalsOf } from '../../unit-fixes.ts';
import type { EarlyLinks } from '../collecting/index.ts';
import { collect, createRunLog, refineTopology } from '../collecting/index.ts';
import type { Installation } from './installation.ts';
import { createRecorder } from './recording.ts';
import { type FailOn, withThreshold } from './threshold.ts';

/** The whole run, in ms; what has not been seen by then is unknown. */
const RUN_MS = 30_000;

export interface ExamineOptions {
  readonly installation: Installation;
  readonly sudo: boolean;
  readonly failOn: FailOn;
  readonly clock: Clock;
  /** Aborted by the operator: what is known by then is reported. */
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly early?: EarlyLinks | undefined;
  listen(event: RunEvent): void;
}

export interface Examined {
  readonly report: Report;
  readonly recording: string;
}

export async function examine(options: ExamineOptions): Promise<Examined> {
  const { clock, installation, env } = options;
  const run = randomBytes(4).toString('hex');
  const version = `${BUILD.version} (${BUILD.revision})`;
  const startedAtMs = clock.now();
  const began = clock.monotonicMs();
  const recorder = createRecorder();
  const store = createFactStore();
  const stop = new AbortController();
  const timer = clock.after(RUN_MS, () => stop.abort(new Error(`the run took longer than ${RUN_MS / 1000} s`)));
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const log = createRunLog({ clock, store, signal, listeners: [recorder.listen, options.listen] });
  let topology: Topology = installation.topology;
  const start = (known: Topology): void =>
    log.emit({ type: 'run.start', schema: 'viworks.doctor.run/1', run, version, atMs: startedAtMs, topology: known });
  const metaNow = (): RunMeta => ({
    run,
    version,
    startedAtMs,
    milliseconds: Math.round(clock.monotonicMs() - began),
    probes: log.probes,
    complete: !signal.aborted,
    ...(options.signal.aborted && isAbort(options.signal.reason) ? { interrupted: interruptCode(options.signal) } : {}),
  });
  const shown = new Map<string, string>();
  const show = (known: Topology): void => {
    for (const verdict of decidedChecks(store, known)) {
      const id = `${verdict.check} ${verdict.gateway}`;
      if (shown.get(id) === verdict.state) continue;
      shown.set(id, verdict.state);
      log.emit({ type: 'verdict', verdict });
    }
  };
  start(topology);
  try {
    await collect({
      ...installation,
      sudo: options.sudo,
      run,
      version: BUILD.version,
      clock,
      signal,
      env,
      early: options.early,
      store,
      log,
      advance: show,
      propose: (known) => {
        const report = judgeFacts(store, known, metaNow());
        return { nginx: proposalsOf(report, store, known), units: unitProposalsOf(report, known) };
      },
      refine: (known, views) => {
        topology = refineTopology(known, views);
        if (JSON.stringify(topology) !== JSON.stringify(known)) start(topology);
        return topology;
      },
    });
  } catch (error) {
    // Stopped in the middle: everything that was seen so far still counts.
    if (!signal.aborted) throw error;
  } finally {
    timer.cancel();
  }
  const meta = metaNow();
  const report = withThreshold(judgeFacts(store, topology, meta), options.failOn);
  announce(log.emit, report, meta);
  return { report, recording: recorder.text() };
}

/** The end of the stream: verdicts, causes, the report. */
export function announce(emit: (event: RunEvent) => void, report: Report, meta: RunMeta): void {
  for (const verdict of report.verdicts) emit({ type: 'verdict', verdict });
  for (const cause of report.causes) emit({ type: 'cause', cause, provisional: false });
  const { startedAtMs, milliseconds, probes, complete, interrupted } = meta;
  const stopped = interrupted === undefined ? {} : { interrupted };
  emit({ type: 'run.end', atMs: startedAtMs + milliseconds, milliseconds, probes, complete, ...stopped, report });
}
