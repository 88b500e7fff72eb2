// `viworks deploy`: the composition root of the deployer. Reads the inventory, opens what the phases need, maps subcommands.

import { access, readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import type { CommandSpec, Invocation, OptionSpec } from '../agents/runtime/index.ts';
import { runtimeErrors } from '../agents/runtime/index.ts';
import { type DeployContext, loadTls, refuseUnsupported } from './apply/hosts.ts';
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
  { flags: '--operator', help: 'make a new admin token for this user, whatever contexts there are' },
];
const EXIT_CODES = [
  { code: 0, means: 'done, or nothing to do' },
  { code: 2, means: 'plan, status: changes or drift pending' },
  { code: 3, means: 'failed, and every host is back on what it ran before (verified)' },
  { code: 4, means: 'held: neither old nor new could be verified; needs a person' },
  { code: 5, means: 'locked: another deploy is at work' },
  { code: 6, means: 'validation refused the release; nothing live was touched' },
  { code: 8, means: 'a host cannot be reached' },
  { code: 9, means: 'a host is not the one that it should be' },
  { code: 10, means: 'login, privilege or shell' },
  { code: 11, means: 'not enough space' },
  { code: 12, means: 'a host lacks something or is too old' },
  { code: 13, means: 'managed files were changed by hand' },
  { code: 14, means: 'the artefact is damaged, incomplete or for another machine' },
  { code: 64, means: 'usage or inventory' },
] as const;

type Action = (context: DeployContext, options: RunOptions & { keepData: boolean }) => Promise<number>;

function subcommand(spec: {
  name: string;
  summary: string;
  options: readonly OptionSpec[];
  example: string;
  action: Action;
}): CommandSpec {
  const { name, summary, options, example, action } = spec;
  return {
    name,
    summary,
    options,
    examples: [{ command: example, does: summary }],
    exitCodes: EXIT_CODES,
    run: (invocation) => runAction(invocation, action),
  };
}

/** `viworks deploy`. */
export const deployCommand: CommandSpec = {
  name: 'deploy',
  summary: 'plan, apply, roll back, show or remove an installation',
  description:
    'Renders everything from one inventory, ships it over SSH, validates it as if it were switched, switches, verifies, and goes back by itself when the result is not well. Without a subcommand: plan and apply.',
  options: APPLY,
  examples: [
    { command: 'viworks deploy -i viworks.toml', does: 'plan, ask, apply' },
    { command: 'viworks deploy plan', does: 'show what would change, with diffs' },
  ],
  exitCodes: EXIT_CODES,
  run: (invocation) => runAction(invocation, runApply),
  subcommands: [
    subcommand({
      name: 'plan',
      summary: 'show what would change',
      options: COMMON,
      example: 'viworks deploy plan',
      action: runPlan,
    }),
    subcommand({
      name: 'apply',
      summary: 'make the hosts what the inventory says',
      options: APPLY,
      example: 'viworks deploy apply --yes',
      action: runApply,
    }),
    subcommand({
      name: 'rollback',
      summary: 'go back to the release that was committed before',
      options: [...COMMON, YES],
      example: 'viworks deploy rollback --yes',
      action: runRollback,
    }),
    subcommand({
      name: 'status',
      summary: 'say what runs where',
      options: COMMON,
      example: 'viworks deploy status',
      action: runStatus,
    }),
    subcommand({
      name: 'remove',
      summary: 'take everything off the hosts',
      options: [...COMMON, YES, { flags: '--keep-data', help: 'leave the state of the agents in /var/lib/viworks' }],
      example: 'viworks deploy remove --yes',
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
      exitCodes: EXIT_CODES,
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
  const context: DeployContext = { inventory, artefacts, templates, tls, progress, clock, signal, env };
  const choice = {
    overwrite: options.overwrite === true,
    retryBad: options.retryBad === true,
    noWayBack: options.wayBack === false,
    operator: options.operator === true,
    keepData: options.keepData === true,
    confirm: (question: string) => confirm(invocation, question),
  };
  try {
    return await action(context, choice);
  } catch (error) {
    progress.flush();
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
  const asking = createInterface({ input: terminal.stdin, output: terminal.stderr });
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
