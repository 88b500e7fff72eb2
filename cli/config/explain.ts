// A configuration's keys for people: name, type, default, variable, meaning, and where the value in force came from. Pure.
import type { ConfigSpec, LoadedConfig } from '../../agents/runtime/index.ts';
import { type Field, fieldsOf, type JsonSchema } from './fields.ts';

/** One key as it is explained; also the JSON form. */
export interface ExplainedKey {
  readonly key: string;
  readonly type: string;
  readonly required: boolean;
  readonly default: unknown;
  readonly variable: string | undefined;
  readonly meaning: string;
  readonly value?: unknown;
  readonly from?: string | undefined;
}

/** Every key of a schema; with `loaded`, its value and the place that it came from. */
export function explainKeys(
  spec: Pick<ConfigSpec, 'envPrefix'>,
  schema: JsonSchema,
  loaded?: LoadedConfig<unknown>,
): ExplainedKey[] {
  return fieldsOf(schema).map((field) => {
    const inTable = field.path.includes('[]') || field.path.includes('*');
    return {
      key: field.path,
      type: field.type,
      required: !field.optional && field.default === undefined,
      default: field.default,
      variable:
        spec.envPrefix && !inTable ? `${spec.envPrefix}_${field.path.replaceAll('.', '_').toUpperCase()}` : undefined,
      meaning: field.description,
      ...(loaded && !inTable ? valueIn(loaded, field) : {}),
    };
  });
}

function valueIn(loaded: LoadedConfig<unknown>, field: Field): Pick<ExplainedKey, 'value' | 'from'> {
  let value: unknown = loaded.value;
  for (const part of field.path.split('.')) value = (value as Record<string, unknown> | undefined)?.[part];
  const origin = loaded.provenance.get(field.path) ?? deepest(loaded, field.path);
  return { value, from: origin && origin.source !== 'default' ? origin.at : 'default' };
}

// A table or a list has no place of its own: its first entry's is named.
function deepest(loaded: LoadedConfig<unknown>, path: string): { source: string; at: string } | undefined {
  for (const [key, origin] of loaded.provenance) if (key.startsWith(`${path}.`)) return origin;
  return undefined;
}

/** The keys as text, one block each. */
export function renderKeys(keys: readonly ExplainedKey[]): string {
  const width = Math.max(0, ...keys.map((key) => key.key.length));
  return keys.map((key) => renderKey(key, width)).join('');
}

function renderKey(key: ExplainedKey, width: number): string {
  const fallback = key.required ? 'required' : key.default === undefined ? '' : `default ${show(key.default)}`;
  const inForce = 'from' in key ? `= ${show(key.value)}  (${key.from})` : '';
  const head = [key.key.padEnd(width), inForce, key.type, fallback].filter((part) => part !== '').join('  ');
  const indent = ' '.repeat(width + 2);
  const notes = [key.meaning, key.variable ? `env ${key.variable}` : ''].filter((part) => part !== '');
  return `${[head, ...notes.map((note) => indent + note)].join('\n')}\n`;
}

function show(value: unknown): string {
  return value === undefined ? 'not set' : JSON.stringify(value);
}
