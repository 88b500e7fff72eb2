// Built-in verbs: from checked arguments to the argv of a real task. All of them go through the launcher, so output, cancel and exit are uniform.
import { BUILT_IN_VERBS, type BuiltInVerb, schemaHash } from '../../protocol/index.ts';
import { CANARY_SCRIPT, HEALTH_PROGRAM, SERVICES_PROGRAM } from './verb-programs.ts';

/** What to run for a verb. `commandLine` is what policy judges and logs may show. */
export interface VerbPlan {
  readonly argv: readonly string[];
  readonly commandLine: string;
}

const SHELL = '/bin/sh';
const PERL = '/usr/bin/perl'; // the launcher is perl, so it is there

// One argument may hold 128 KiB in Linux (MAX_ARG_STRLEN); four bytes a character at most.
const SCRIPT_PART = 32_000;

const plans: { readonly [V in BuiltInVerb]: (args: Record<string, unknown>) => VerbPlan } = {
  exec(args) {
    const argv = args.argv as readonly string[];
    return { argv, commandLine: argv.join(' ') };
  },
  shell(args) {
    const script = args.script as string;
    if (script.length <= SCRIPT_PART) return { argv: [SHELL, '-c', script, 'sh'], commandLine: script };
    const parts: string[] = [];
    for (let at = 0; at < script.length; at += SCRIPT_PART) parts.push(script.slice(at, at + SCRIPT_PART));
    const joined = parts.map((_, index) => `\${${index + 1}}`).join('');
    return { argv: [SHELL, '-c', `eval "${joined}"`, 'sh', ...parts], commandLine: script };
  },
  canary: (args) => ({ argv: [SHELL, '-c', CANARY_SCRIPT, 'canary', String(args.bytes)], commandLine: '' }),
  get_system_health: () => ({ argv: [PERL, '-e', HEALTH_PROGRAM], commandLine: '' }),
  get_service_status: (args) => ({
    argv: [PERL, '-e', SERVICES_PROGRAM, '--', ...((args.services as string[] | undefined) ?? [])],
    commandLine: '',
  }),
};

/** Names of the verbs that a configuration offers. */
export function enabledVerbs(enabled: readonly string[]): ReadonlySet<string> {
  const all = Object.keys(BUILT_IN_VERBS);
  return new Set(enabled.flatMap((name) => (name === 'core' ? all : all.filter((known) => known === name))));
}

/** The verbs as HELLO offers them. */
export function offeredVerbs(
  enabled: ReadonlySet<string>,
): Record<string, { schemaHash: string; idempotent: boolean }> {
  return Object.fromEntries(
    Object.entries(BUILT_IN_VERBS)
      .filter(([name]) => enabled.has(name))
      .map(([name, spec]) => [name, { schemaHash: schemaHash(spec.args), idempotent: spec.idempotent }]),
  );
}

/** Checks the arguments of a verb and says what to run. */
export function planVerb(
  enabled: ReadonlySet<string>,
  verb: string,
  args: Readonly<Record<string, unknown>>,
):
  | { readonly ok: true; readonly plan: VerbPlan }
  | { readonly ok: false; readonly code: 'unknown_verb' | 'invalid_args'; readonly message: string } {
  if (!enabled.has(verb) || !Object.hasOwn(BUILT_IN_VERBS, verb)) {
    return { ok: false, code: 'unknown_verb', message: `this gateway does not offer the verb ${verb}` };
  }
  const name = verb as BuiltInVerb;
  const parsed = BUILT_IN_VERBS[name].args.safeParse(args);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const message = `${issue?.path.map(String).join('.') || 'arguments'}: ${issue?.message ?? 'not valid'}`;
    return { ok: false, code: 'invalid_args', message };
  }
  const plan = plans[name](parsed.data);
  if (plan.argv.some((argument) => argument.includes('\0'))) {
    return { ok: false, code: 'invalid_args', message: 'an argument holds a NUL byte' };
  }
  return { ok: true, plan };
}
