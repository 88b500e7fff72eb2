// `viworks backend token create` and `enrolment-token create`: on the store file itself, also while the backend runs.
import type { z } from 'zod';
import { http } from '../protocol/index.ts';
import { type CommandSpec, type Invocation, type OptionSpec, runtimeErrors } from '../runtime/index.ts';
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
  load: (invocation: Invocation) => Promise<BackendConfig>,
): readonly CommandSpec[] {
  const run =
    (make: (store: Store, invocation: Invocation) => Promise<string>) =>
    async (invocation: Invocation): Promise<number> => {
      const { state_dir: directory } = await load(invocation);
      await using store = openSqliteStore({ directory, clock: invocation.clock });
      const text = await make(store, invocation);
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
            { flags: '--role <role>', help: 'what it may do', choices: http.ROLES },
            { flags: '--name <name>', help: 'who uses it; shows in logs and as the author of commands' },
            config,
          ],
          examples: [
            {
              command: 'viworks backend token create --role admin --name first --config backend.toml',
              does: 'make the first admin’s token',
            },
          ],
          exitCodes: EXIT_CODES,
          run: run(async (store, invocation) => {
            const request = checked(http.tokenRequest, {
              role: invocation.options.role,
              name: invocation.options.name,
            });
            const { token } = await createTokens({ store, clock: invocation.clock }).create(request);
            return token;
          }),
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
            { flags: '--ttl-seconds <n>', help: 'how long it is valid; 3600 by default' },
            config,
          ],
          examples: [
            {
              command: 'viworks backend enrolment-token create --gateway gw-berlin-1 --config backend.toml',
              does: 'let gw-berlin-1 enrol within an hour',
            },
          ],
          exitCodes: EXIT_CODES,
          run: run(async (store, invocation) => {
            const { gateway, ttlSeconds } = invocation.options;
            const request = checked(http.enrolmentTokenRequest, {
              gatewayId: gateway,
              ...(ttlSeconds === undefined ? {} : { ttlSeconds: Number(ttlSeconds) }),
            });
            const { token } = await createEnrolment({ store, clock: invocation.clock }).createToken(request);
            return token;
          }),
        },
      ],
    },
  ];
}

function checked<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problem = parsed.error.issues.map((issue) => `--${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw runtimeErrors.create('VW_RUNTIME_USAGE', { problem, command: 'viworks backend' });
}
