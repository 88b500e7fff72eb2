// `viworks enroll`: makes this host a gateway of a backend with a one-time token. The key is made here and never leaves.
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import {
  type CommandSpec,
  configFile,
  configOption,
  describe,
  loadConfig,
  readSecretFile,
  runtimeErrors,
  Secret,
} from '../runtime/index.ts';
import { configSpec, type GatewayConfig } from './config.ts';
import { gatewayErrors } from './errors.ts';
import { enrol } from './identity/enrol.ts';
import { markEnrolled, openIdentity, readMachine } from './identity/identity.ts';

export const enrollCommand: CommandSpec = {
  name: 'enroll',
  summary: 'make this host a gateway of a backend, with a one-time token',
  description:
    'Makes the gateway’s key where there is none (it never leaves the host) and hands its public half to the backend that ' +
    'gateway.toml names. Run it as root on the gateway’s host; `viworks deploy` does the same by itself.',
  options: [
    configOption('gateway'),
    { flags: '--token-file <file>', help: 'file with the one-time token; - reads it from stdin' },
  ],
  examples: [
    { command: 'sudo viworks enroll --token-file -', does: 'paste the token, and end with Ctrl-D' },
    {
      command: 'sudo viworks backend enrolment-token create --gateway gw-berlin-1',
      does: 'before that, on the backend’s host: prints the token, valid for an hour',
    },
    { command: 'sudo viworks enroll --config gateway.toml --token-file token', does: 'from files' },
  ],
  seeAlso: ['viworks gateway --check', 'viworks config explain gateway'],
  exitCodes: [
    { code: 0, means: 'enrolled, or it already was' },
    { code: 1, means: 'the backend cannot be reached' },
    { code: 64, means: 'the configuration cannot work, or the backend refused the token' },
  ],
  async run(invocation) {
    const { schema, envPrefix } = configSpec;
    const { value: config } = await loadConfig({
      schema,
      envPrefix,
      file: configFile(invocation.options.config, 'gateway'),
      env: invocation.env,
      check: (value) => configSpec.check?.(value) ?? [],
    });
    const { signal, terminal } = invocation;
    const identity = await openIdentity({ stateDir: config.state_dir, gatewayId: config.gateway_id }, signal);
    if (identity.enrolled) {
      terminal.stderr.write(`gateway ${identity.gatewayId} is enrolled already\n`);
      return 0;
    }
    const token = await tokenFrom(
      invocation.options.tokenFile ?? config.enrolment_token_file,
      invocation.terminal.stdin,
    );
    const { fingerprint } = await readMachine(signal);
    const { gatewayId, publicKey } = identity;
    await enrol({ url: config.url, gatewayId, token, publicKey, fingerprint, ca: await readCa(config) }, signal);
    await markEnrolled(config.state_dir, invocation.clock.now(), signal);
    terminal.stderr.write(`gateway ${gatewayId} is enrolled\n`);
    return 0;
  },
};

async function tokenFrom(file: unknown, stdin: NodeJS.ReadableStream): Promise<Secret> {
  if (typeof file !== 'string') {
    throw runtimeErrors.create('VW_RUNTIME_USAGE', {
      problem: 'no token: give --token-file',
      command: 'viworks enroll',
    });
  }
  return file === '-' ? new Secret((await text(stdin)).trim()) : readSecretFile('enrolment token', file);
}

async function readCa(config: GatewayConfig): Promise<string | undefined> {
  const file = config.trust_file;
  if (file === undefined) return undefined;
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw gatewayErrors.create('VW_GATEWAY_TRUST_UNREADABLE', { file, reason: describe(error) }, error);
  });
}
