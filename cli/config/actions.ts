// What `viworks config check` and `explain` do: read the files, ask the rooms' schemas, print.
import * as z from 'zod';
import {
  type ConfigSpec,
  type Invocation,
  type LoadedConfig,
  parseConfig,
  readConfigText,
  runtimeErrors,
  ViworksError,
} from '../../agents/runtime/index.ts';
import { nearest } from '../suggest.ts';
import { explainKeys, renderKeys } from './explain.ts';
import type { JsonSchema } from './fields.ts';
import { CONFIG_KINDS, type ConfigKind, kindOf } from './specs.ts';

/** Checks every file and reports all of them; 64 when one has problems. */
export async function checkFiles(invocation: Invocation): Promise<number> {
  const { args, options, terminal } = invocation;
  const inventory = typeof options.inventory === 'string' ? [options.inventory] : [];
  const files = [
    ...args.map((file) => ({ file, kind: options.kind })),
    ...inventory.map((file) => ({ file, kind: 'inventory' })),
  ];
  if (files.length === 0) throw usage('name at least one file, or an inventory with -i', 'check');
  let code = 0;
  for (const { file, kind } of files) {
    try {
      const { spec } = await load(file, { kind, env: invocation.env });
      terminal.stdout.write(`${file}: OK (${spec.name})\n`);
    } catch (error) {
      if (!(error instanceof ViworksError)) throw error;
      const remedy = error.detail.remedied === true ? '' : `  remedy: ${error.hint}\n`;
      terminal.stderr.write(`${error.message}\n${remedy}`);
      code = error.exitCode;
    }
  }
  return code;
}

/** Explains one kind of configuration, or all of them. */
export async function explain(invocation: Invocation): Promise<number> {
  const { args, options, terminal, env } = invocation;
  const [name] = args;
  const { config } = options;
  const asked = name === undefined ? undefined : kindNamed(name);
  if (typeof config === 'string') {
    const { spec, loaded } = await load(config, { kind: asked?.name, env });
    print(invocation, [{ spec, loaded }]);
    return 0;
  }
  const kinds = asked ? [asked] : CONFIG_KINDS;
  print(invocation, await Promise.all(kinds.map(async (kind) => ({ spec: await kind.load(), loaded: undefined }))));
  return terminal.stdout.destroyed ? 1 : 0;
}

interface Explained {
  readonly spec: ConfigSpec;
  readonly loaded: LoadedConfig<unknown> | undefined;
}

function print({ options, terminal }: Invocation, all: readonly Explained[]): void {
  const explained = all.map(({ spec, loaded }) => {
    const schema = z.toJSONSchema(spec.schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
    return { name: spec.name, summary: spec.summary, keys: explainKeys(spec, schema, loaded) };
  });
  const text =
    options.json === true
      ? `${JSON.stringify(all.length === 1 ? explained[0] : explained)}\n`
      : explained.map(({ summary, keys }) => `${summary}\n\n${renderKeys(keys)}`).join('\n');
  terminal.stdout.write(text);
}

async function load(
  file: string,
  options: { kind: unknown; env: Invocation['env'] },
): Promise<{ spec: ConfigSpec; loaded: LoadedConfig<unknown> }> {
  const text = await readConfigText(file);
  const kind = typeof options.kind === 'string' ? kindNamed(options.kind) : kindOf(file, text);
  if (!kind) throw usage(`${file}: cannot tell what kind of configuration this is; name it with --kind`, 'check');
  const spec = await kind.load();
  const check = spec.check?.bind(spec);
  const { schema, envPrefix } = spec;
  return {
    spec,
    loaded: parseConfig({ schema, envPrefix, file, text, env: options.env, ...(check ? { check } : {}) }),
  };
}

function kindNamed(name: string): ConfigKind {
  const names = CONFIG_KINDS.map((kind) => kind.name);
  const found = CONFIG_KINDS.find((kind) => kind.name === name);
  if (found) return found;
  const guess = nearest(name, names);
  throw usage(
    `unknown configuration ${name}${guess ? `; did you mean ${guess}?` : `; known: ${names.join(', ')}`}`,
    'explain',
  );
}

function usage(problem: string, subcommand: string): Error {
  return runtimeErrors.create('VW_RUNTIME_USAGE', { problem, command: `viworks config ${subcommand}` });
}
