// `viworks backend token create` and `enrolment-token create`: on the store file itself, also while the backend runs.
import type * as z from 'zod';
import { http } from '../protocol/index.ts';
import {
  type Clock,
  type CommandSpec,
  type Invocation,
  type LoadedConfig,
  type OptionSpec,
  runtimeErrors,
} from '../runtime/index.ts';
import type { BackendConfig } from './config.ts';
import { createEnrolment } from './identity/enrolment.ts';
import { createTokens } from './identity/tokens.ts';
import { openSqliteStore } from './storage/sqlite.ts';
import type { Store } from './storage/store.ts';

const EXIT_CODES = [
  { code: 0, means: 'made; its text is the only line on stdout' },
  { code: 1, means: 'the store could not be opened or written' },
  { code: 64, means: 'the configuration or the arguments are wrong' },
] as const;

/** The two commands. Both print just the secret, so that a script can keep it. */
export function secretCommands(
  config: OptionSpec,
  load: (invocation: Invocation) => Promise<LoadedConfig<BackendConfig>>,
): readonly CommandSpec[] {
  const run =
    <T>(read: (invocation: Invocation) => T, make: (store: Store, request: T, clock: Clock) => Promise<string>) =>
    async (invocation: Invocation): Promise<number> => {
      // What was typed is judged before anything is opened.
      const request = read(invocation);
      const { state_dir: directory } = (await load(invocation)).value;
      await using store = openSqliteStore({ directory, clock: invocation.clock });
      const text = await make(store, request, invocation.clock);
      invocation.terminal.stdout.write(`${text}\n`);
      return 0;
    };

  return [
    {
      name: 'token',
      summary: 'tokens of the HTTP API',
      examples: [],
      exitCodes: EXIT_CODES,
      subcommands: [
        {
          name: 'create',
          summary: 'make a token and print it; it is shown once',
          options: [
            {
              flags: '--role <role>',
              help: 'what it may do: look at everything (viewer), run commands too (operator), make tokens too (admin), or only read the registry and run the canary, for the doctor (probe)',
              choices: http.ROLES,
            },
            { flags: '--name <name>', help: 'who uses it; shows in logs and as the author of commands' },
            config,
          ],
          examples: [
            {
              command: 'viworks backend token create --role admin --name first',
              does: 'make the first admin’s token',
            },
          ],
          exitCodes: EXIT_CODES,
          run: run(
            ({ options }) => checked(http.tokenRequest, { role: options.role, name: options.name }, 'token create'),
            async (store, request, clock) => (await createTokens({ store, clock }).create(request)).token,
          ),
        },
      ],
    },
    {
      name: 'enrolment-token',
      summary: 'one-time tokens with which gateways enrol',
      examples: [],
      exitCodes: EXIT_CODES,
      subcommands: [
        {
          name: 'create',
          summary: 'make a one-time token for one gateway and print it',
          options: [
            { flags: '--gateway <id>', help: 'the id that the gateway gets' },
            { flags: '--ttl-seconds <n>', help: 'how long it is valid, 1 to 604800 s', default: '3600' },
            config,
          ],
          examples: [
            {
              command: 'viworks backend enrolment-token create --gateway gw-berlin-1',
              does: 'let gw-berlin-1 enrol within an hour',
            },
          ],
          exitCodes: EXIT_CODES,
          run: run(
            ({ options: { gateway, ttlSeconds } }) =>
              checked(
                http.enrolmentTokenRequest,
                { gatewayId: gateway, ...(ttlSeconds === undefined ? {} : { ttlSeconds: Number(ttlSeconds) }) },
                'enrolment-token create',
              ),
            async (store, request, clock) => (await createEnrolment({ store, clock }).createToken(request)).token,
          ),
        },
      ],
    },
  ];
}

const FLAGS: Readonly<Record<string, string>> = { gatewayId: 'gateway', ttlSeconds: 'ttl-seconds' };
const EXPECTED: Readonly<Record<string, string>> = {
  gatewayId: 'letters, digits, dots, hyphens and underscores, at most 128',
  ttlSeconds: 'a whole number of seconds from 1 to 604800 (7 days)',
  name: 'a name of at most 128 characters',
  role: `one of ${http.ROLES.join(', ')}`,
};

function checked<T extends z.ZodType>(schema: T, value: object, command: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problem = parsed.error.issues
    .map(({ path: [key] }) => {
      const name = String(key);
      const missing = (value as Readonly<Record<string, unknown>>)[name] === undefined;
      return `--${FLAGS[name] ?? name}${missing ? ' is missing' : ''}: ${EXPECTED[name]}`;
    })
    .join('; ');
  throw runtimeErrors.create('VW_RUNTIME_USAGE', { problem, command: `viworks backend ${command}` });
}
