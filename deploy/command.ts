// `viworks deploy`: the composition root of the deployer. Reads the inventory, opens what the phases need, maps subcommands.

import { access, readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import type { CommandSpec, Invocation, OptionSpec } from '../agents/runtime/index.ts';
import { runtimeErrors, screenOf } from '../agents/runtime/index.ts';
import { type DeployContext, loadTls, refuseUnsupported } from './apply/hosts.ts';
import { interruptedResult, nothingReached } from './apply/interrupted.ts';
import { createNdjsonProgress, createPlainProgress } from './apply/progress.ts';
import { type RunOptions, runApply, runPlan, runRemove, runRollback, runStatus } from './apply/runner.ts';
import { deployErrors } from './errors.ts';
import { loadInventory } from './inventory/index.ts';
import { TemplateError } from './plan/template.ts';
import { openArtefacts } from './release/artefacts.ts';
import { loadTemplates } from './release/templates.ts';
import { pinHostKey } from './trust.ts';

const COMMON: readonly OptionSpec[] = [
  { flags: '-i, --inventory <file>', help: 'the inventory', default: 'viworks.toml' },
  { flags: '--output <format>', help: 'how progress is written', default: 'plain', choices: ['plain', 'ndjson'] },
];
const YES: OptionSpec = { flags: '-y, --yes', help: 'do not ask' };
const APPLY: readonly OptionSpec[] = [
  ...COMMON,
  YES,
  { flags: '--overwrite', help: 'replace managed files that were changed by hand; a copy of each is kept' },
  { flags: '--retry-bad', help: 'try a release again that failed on a host before' },
  { flags: '--no-way-back', help: 'go on although the release that runs now would not be valid any more' },
  { flags: '--operator', help: 'make a new operator token for this user, whatever contexts there are' },
];
const MEANINGS = {
  0: 'done, or nothing to do',
  1: 'a step failed before anything live was touched',
  2: 'changes or drift pending',
  3: 'failed, and every host is back on what it ran before (verified)',
  4: 'held: neither old nor new could be verified; needs an operator',
  5: 'locked: another deploy is running',
  6: 'validation refused the release; nothing live was touched',
  8: 'a host cannot be reached; nothing was changed',
  9: 'a host is not the expected one; nothing was changed',
  10: 'login, privilege or shell',
  11: 'not enough space',
  12: 'a host lacks something or is too old',
  13: 'managed files were changed by hand',
  14: 'the artefact is damaged, incomplete or for another machine',
  64: 'usage or inventory, or not confirmed',
  130: 'interrupted by Ctrl-C (143: by SIGTERM); what was switched goes back',
} as const;
type Code = keyof typeof MEANINGS;

const codes = (...numbers: readonly Code[]): CommandSpec['exitCodes'] =>
  numbers.map((code) => ({ code, means: MEANINGS[code] }));
const LOOK = [8, 9, 10, 64, 130] as const;
const CHANGE = [0, 1, 3, 4, 5, 6, 11, 12, 13, 14, ...LOOK] as const;

type Action = (
  context: DeployContext,
  options: RunOptions & { keepData: boolean; host?: string | undefined },
) => Promise<number>;

function subcommand(spec: {
  name: string;
  summary: string;
  description?: string;
  options: readonly OptionSpec[];
  examples: CommandSpec['examples'];
  exitCodes: CommandSpec['exitCodes'];
  action: Action;
}): CommandSpec {
  const { action, ...rest } = spec;
  return { ...rest, run: (invocation) => runAction(invocation, action) };
}

/** `viworks deploy`. */
export const deployCommand: CommandSpec = {
  name: 'deploy',
  summary: 'plan, apply, roll back, show or remove an installation',
  description:
    'Renders everything from one inventory, ships it over SSH, validates it as if it were switched, switches, verifies, and rolls back automatically when the result is not healthy. Without a subcommand: plan and apply.',
  options: APPLY,
  examples: [
    { command: 'viworks deploy -i viworks.toml', does: 'plan, ask, apply' },
    { command: 'viworks deploy plan', does: 'show what would change, with diffs' },
    { command: 'viworks deploy status', does: 'say what runs where' },
  ],
  seeAlso: ['viworks deploy apply --help', 'viworks config check', 'viworks doctor', 'docs/first-hour.md'],
  exitCodes: codes(...CHANGE),
  run: (invocation) => runAction(invocation, runApply),
  subcommands: [
    subcommand({
      name: 'plan',
      summary: 'show what would change, with diffs, restarts and live sessions; changes nothing',
      options: COMMON,
      examples: [
        { command: 'viworks deploy plan', does: 'exit 2 when something is pending' },
        { command: 'viworks deploy plan -i acme.toml --output ndjson | tail -n 1', does: 'the result for programs' },
      ],
      exitCodes: codes(0, 1, 2, 14, ...LOOK),
      action: runPlan,
    }),
    subcommand({
      name: 'apply',
      summary: 'bring the hosts in line with the inventory',
      description:
        'Plans, asks (on a terminal), sends, validates as if it were switched, switches, verifies, commits. What fails takes every switched host back. After Ctrl-C, or when this program dies, a host that was switched rolls back automatically.',
      options: APPLY,
      examples: [
        { command: 'viworks deploy apply', does: 'plan, ask, apply' },
        { command: 'viworks deploy apply --yes', does: 'without the question, as in a CI job' },
        { command: 'viworks deploy apply --overwrite', does: 'also where files were edited by hand; copies are kept' },
      ],
      exitCodes: codes(...CHANGE),
      action: runApply,
    }),
    subcommand({
      name: 'rollback',
      summary: 'go back to the release that was committed before',
      options: [...COMMON, YES],
      examples: [{ command: 'viworks deploy rollback', does: 'asks first; the release that is left is marked bad' }],
      exitCodes: codes(0, 1, 3, 4, 5, 6, ...LOOK),
      action: runRollback,
    }),
    subcommand({
      name: 'status',
      summary: 'say what runs where, since which release, and what is not as it was shipped',
      options: COMMON,
      examples: [{ command: 'viworks deploy status', does: 'exit 2 when something drifted or is unsettled' }],
      exitCodes: codes(0, 1, 2, ...LOOK),
      action: runStatus,
    }),
    subcommand({
      name: 'remove',
      summary: 'take everything off the hosts; what was there before comes back',
      options: [
        ...COMMON,
        YES,
        { flags: '--keep-data', help: 'leave the state of the agents in /var/lib/viworks' },
        { flags: '--host <name>', help: 'only from this host of the inventory, e.g. a gateway that is given up' },
      ],
      examples: [
        { command: 'viworks deploy remove', does: 'asks first' },
        { command: 'viworks deploy remove --host gw1', does: 'one host; the others stay as they are' },
        { command: 'viworks deploy remove --keep-data', does: 'a later deploy finds its tasks and tokens again' },
      ],
      exitCodes: codes(0, 1, 5, ...LOOK),
      action: runRemove,
    }),
    {
      name: 'trust',
      summary: 'show the key of a host and pin it in the inventory',
      arguments: [{ name: 'host', help: 'a key below [hosts]' }],
      options: [...COMMON, YES],
      examples: [
        { command: 'viworks deploy trust be1', does: 'show the fingerprint, ask, write it into viworks.toml' },
      ],
      exitCodes: codes(0, ...LOOK),
      run: (invocation) => runTrust(invocation),
    },
  ],
};

async function runAction(invocation: Invocation, action: Action): Promise<number> {
  const { options, terminal, clock, signal, env } = invocation;
  const inventory = await loadInventory(String(options.inventory ?? 'viworks.toml'));
  refuseUnsupported(inventory);
  const [artefacts, templates, tls] = await Promise.all([
    openArtefacts({ release: inventory.project.release, env, signal }),
    loadTemplates(signal),
    loadTls(inventory, { clock, signal }),
  ]);
  const plain = options.output !== 'ndjson';
  const progress = plain ? createPlainProgress(terminal) : createNdjsonProgress(terminal.stdout, clock);
  const reached = nothingReached();
  const { terminalQuestions } = await import('./remote/index.ts');
  const questions = terminalQuestions(terminal);
  const surroundings = { clock, signal, env, questions };
  const context: DeployContext = { inventory, artefacts, templates, tls, progress, reached, ...surroundings };
  const choice = {
    overwrite: options.overwrite === true,
    retryBad: options.retryBad === true,
    noWayBack: options.wayBack === false,
    operator: options.operator === true,
    keepData: options.keepData === true,
    host: typeof options.host === 'string' ? options.host : undefined,
    confirm: (question: string) => confirm(invocation, question),
  };
  try {
    return await action(context, choice);
  } catch (error) {
    progress.flush();
    const left = interruptedResult(error, context);
    if (left) {
      progress.result(left);
      throw signal.reason;
    }
    if (error instanceof AggregateError) throw worst(error, invocation);
    if (error instanceof TemplateError)
      throw deployErrors.create('VW_DEPLOY_TEMPLATE', { problem: error.message }, error);
    throw error;
  }
}

// The others are told before the one that is thrown decides about the exit code.
function worst(error: AggregateError, { terminal }: Invocation): unknown {
  const [first, ...rest] = error.errors as Error[];
  for (const other of rest) terminal.stderr.write(`${other.message}\n`);
  return first;
}

// Who wrote a CI job has asked already; on a terminal a person is asked.
async function confirm({ options, terminal, signal }: Invocation, question: string): Promise<boolean> {
  if (options.yes === true || !terminal.interactive) return true;
  const asking = createInterface({ input: terminal.stdin, output: screenOf(terminal.stderr) });
  try {
    return /^y(es)?$/i.test((await asking.question(question, { signal })).trim());
  } finally {
    asking.close();
  }
}

async function runTrust(invocation: Invocation): Promise<number> {
  const { options, args, terminal, clock, signal, env } = invocation;
  const file = String(options.inventory ?? 'viworks.toml');
  const inventory = await loadInventory(file, { unpinned: true });
  const name = args[0] ?? '';
  const host = inventory.hosts[name];
  if (!host) {
    const problem = `there is no [hosts.${name}] in ${file}; it knows: ${Object.keys(inventory.hosts).join(', ')}`;
    throw runtimeErrors.create('VW_RUNTIME_USAGE', { problem, command: 'viworks deploy trust' });
  }
  const { readHostKey } = await import('./remote/index.ts');
  const shown = await readHostKey(host, { signal, clock, env });
  terminal.stderr.write(`${name} (${host.address}:${host.port}) shows ${shown.fingerprint} (${shown.type})\n`);
  if (host.hostKeys.includes(shown.fingerprint)) {
    terminal.stdout.write(`${shown.fingerprint} is pinned already\n`);
    return 0;
  }
  if (host.hostKeys.length > 0) terminal.stderr.write(`the inventory says ${host.hostKeys.join(', ')}\n`);
  if (!terminal.interactive && options.yes !== true) throw deployErrors.create('VW_DEPLOY_NOT_CONFIRMED');
  if (!(await confirm(invocation, 'Compare it with the console of the host. Pin it? [y/N] '))) {
    throw deployErrors.create('VW_DEPLOY_NOT_CONFIRMED');
  }
  await access(file);
  await writeFile(file, pinHostKey(await readFile(file, 'utf8'), name, shown.fingerprint), { signal });
  terminal.stdout.write(`${shown.fingerprint} is pinned in ${file}\n`);
  return 0;
}
