// `viworks doctor`: finds out which installation is meant, examines or replays it, and hands the same report to one output.
// The screen is only loaded when it was chosen: ink costs half a second and fifty megabytes.
import { type CommandSpec, type Invocation, interruptCode } from '../agents/runtime/index.ts';
import type { Report, RunEvent } from './engine/index.ts';
import { explainCommand } from './explain-command.ts';
import { graphCommand } from './graph-command.ts';
import { judgeFacts } from './judge.ts';
import { type EarlyLinks, openEarly, SSH_LIMITS } from './run/collecting/index.ts';
import {
  announce,
  createPrinter,
  createProgress,
  type DoctorOptions,
  examine,
  findInstallation,
  type Installation,
  loadRecording,
  OUTPUTS,
  readOptions,
  recordingPath,
  withThreshold,
  writeRecording,
} from './run/command/index.ts';

export const doctorCommand: CommandSpec = {
  name: 'doctor',
  summary: 'find the root cause, with the evidence and the fix',
  description: `Looks at the backend host and at every gateway over one SSH connection each, sends its own upgrade at every hop, and names the
cause. Changes nothing anywhere. Without -i it reads ./viworks.toml, then ~/.config/viworks/viworks.toml.`,
  options: [
    { flags: '-i, --inventory <file>', help: 'viworks.toml of the installation' },
    { flags: '--backend <host>', help: 'without an inventory: [user@]host[:port] of the backend' },
    { flags: '--gateway <host>', help: 'without an inventory: [user@]host[:port] of a gateway', repeatable: true },
    { flags: '--url <wss>', help: 'without an inventory: the URL that gateways dial' },
    { flags: '--local', help: 'what `viworks up` runs on this machine' },
    { flags: '-o, --output <format>', help: 'how the report is shown', choices: [...OUTPUTS] },
    { flags: '--output-file <file>', help: 'write the report there instead of to stdout' },
    { flags: '--fail-on <what>', help: 'what makes the exit code other than 0', choices: ['fault', 'warn', 'never'] },
    { flags: '--replay <file>', help: 'report a recorded run again, offline' },
    { flags: '--record <file>', help: 'keep the recording there' },
    { flags: '--no-record', help: 'keep no recording' },
    {
      flags: '--token-file <file>',
      help: 'token of the role probe, for the registry and the canary command; no other is sent; default: the doctor’s own of the context',
    },
    {
      flags: '--trust-file <file>',
      help: 'CA bundle (PEM) to judge TLS with from here; default: the inventory’s, else the usual roots',
    },
    { flags: '--sudo', help: 'use sudo on the hosts where it needs no password' },
    { flags: '--inline', help: 'draw below the prompt instead of on a screen of its own' },
    { flags: '--screen-reader', help: 'lines only, no screen' },
    { flags: '--all', help: 'list every check, not only what matters' },
    { flags: '--short', help: 'the same as --output short' },
    { flags: '--plain', help: 'the same as --output plain' },
  ],
  examples: [
    { command: 'viworks doctor', does: 'examine the installation of ./viworks.toml' },
    {
      command: 'viworks doctor --backend be1 --gateway gw1 --url wss://agents.example.test/ws/agent',
      does: 'examine without an inventory',
    },
    { command: 'viworks doctor --output json | jq .causes[].code', does: 'for programs' },
    { command: 'viworks doctor --replay run.ndjson', does: 'report a recorded run again' },
  ],
  exitCodes: [
    { code: 0, means: 'healthy' },
    { code: 1, means: 'the doctor itself failed' },
    { code: 3, means: 'at least one cause or outage finding' },
    { code: 4, means: 'warnings or latent faults only, with --fail-on warn' },
    { code: 5, means: 'inconclusive: it breaks and no cause is proven, or not enough was seen to say' },
    { code: 64, means: 'wrong usage or inventory' },
    { code: 130, means: 'interrupted; what was known by then was reported' },
  ],
  subcommands: [explainCommand, graphCommand],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const options = readOptions(invocation);
  if (options.replay !== undefined) return await replay(invocation, options, options.replay);
  const { env, signal } = invocation;
  const installation = await findInstallation({ options, env, signal });
  const early = await connectEarly(invocation, installation);
  try {
    return options.output === 'tui'
      ? await onScreen(invocation, options, { installation, early })
      : await inLines(invocation, options, { installation, early });
  } finally {
    early?.close();
  }
}

interface Subject {
  readonly installation: Installation;
  readonly early: EarlyLinks | undefined;
}

/** On a terminal ssh may have to ask something first: before a screen is drawn, and before the time of the run counts. */
async function connectEarly(invocation: Invocation, installation: Installation): Promise<EarlyLinks | undefined> {
  const { terminal, clock, signal, env } = invocation;
  const { terminalQuestions } = await import('../deploy/remote/index.ts');
  const questions = terminalQuestions(terminal);
  if (!questions) return undefined;
  return await openEarly(installation.targets, { questions, clock, signal, env, ...SSH_LIMITS });
}

async function inLines(invocation: Invocation, options: DoctorOptions, subject: Subject): Promise<number> {
  const { env, signal } = invocation;
  const printer = createPrinter(invocation, options);
  const progress = createProgress((line) => invocation.terminal.stderr.write(line), invocation.clock);
  try {
    const { report, recording } = await examine({
      ...subject,
      sudo: options.sudo,
      failOn: options.failOn,
      clock: invocation.clock,
      signal,
      env,
      listen: (event) => {
        progress.listen(event);
        printer.listen(event);
      },
    });
    const kept = await keep(invocation, options, { report, recording });
    await printer.print(report, kept);
    return report.exitCode;
  } finally {
    progress.stop();
  }
}

/** Writes the recording; gives its path. Only a place that was asked for may fail the run. */
async function keep(
  invocation: Invocation,
  options: DoctorOptions,
  run: { readonly report: Report; readonly recording: string },
): Promise<string | null> {
  if (options.record === false) return null;
  const file = options.record ?? recordingPath(invocation.env, run.report.startedAtMs);
  try {
    await writeRecording(file, run.recording);
    return file;
  } catch (error) {
    if (options.record !== undefined) throw error;
    invocation.terminal.stderr.write(`not recorded: ${error instanceof Error ? error.message : String(error)}\n`);
    return null;
  }
}

async function onScreen(invocation: Invocation, options: DoctorOptions, subject: Subject): Promise<number> {
  const { showScreen } = await import('./ui/screen.tsx');
  const { clock, env } = invocation;
  const look = async (listen: (event: RunEvent) => void, stop: AbortSignal): Promise<void> => {
    const signal = AbortSignal.any([invocation.signal, stop]);
    const run = await examine({ ...subject, sudo: options.sudo, failOn: options.failOn, clock, signal, env, listen });
    await keep(invocation, options, run);
  };
  const report = await showScreen({ invocation, inline: options.inline, examine: look });
  return screenCode(invocation.signal, report);
}

async function replay(invocation: Invocation, options: DoctorOptions, file: string): Promise<number> {
  const recorded = await loadRecording(file);
  const report = withThreshold(judgeFacts(recorded.facts, recorded.topology, recorded.meta), options.failOn);
  if (options.output === 'tui') {
    const { showScreen } = await import('./ui/screen.tsx');
    const show = async (listen: (event: RunEvent) => void): Promise<void> => {
      for (const event of recorded.events) if (event.type !== 'run.end') listen(event);
      announce(listen, report, recorded.meta);
    };
    return screenCode(invocation.signal, await showScreen({ invocation, inline: options.inline, examine: show }));
  }
  const printer = createPrinter(invocation, options);
  for (const event of recorded.events) printer.listen(event);
  await printer.print(report, null);
  return report.exitCode;
}

// A signal that closes the screen is what ended it, whatever was on it; left before anything was known, it was Ctrl-C.
function screenCode(signal: AbortSignal, report: Report | null): number {
  return report && !signal.aborted ? report.exitCode : interruptCode(signal);
}
