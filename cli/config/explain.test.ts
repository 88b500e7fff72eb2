// Keys for people: what is said about each, and where a value in force came from.
import { expect, test } from 'vitest';
import * as z from 'zod';
import { parseConfig } from '../../agents/runtime/index.ts';
import { explainKeys, renderKeys } from './explain.ts';
import type { JsonSchema } from './fields.ts';

const schema = z.strictObject({
  name: z.string().meta({ description: 'what it is called' }),
  level: z.enum(['info', 'debug']).default('info').meta({ description: 'how much is said' }),
  api: z.strictObject({ port: z.int().min(1).max(65_535).default(8080) }).prefault({}),
  labels: z.record(z.string(), z.string()).default({}),
  note: z.string().optional(),
});
const json = z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;
const keysOf = (text?: string, env = {}) => {
  const loaded = text === undefined ? undefined : parseConfig({ schema, file: 'a.toml', text, env, envPrefix: 'VW_X' });
  return Object.fromEntries(explainKeys({ envPrefix: 'VW_X' }, json, loaded).map((key) => [key.key, key]));
};

test('every leaf has its type, default, variable and meaning', () => {
  const keys = keysOf();
  expect(Object.keys(keys)).toEqual(['name', 'level', 'api.port', 'labels', 'note']);
  expect(keys.name).toEqual({
    key: 'name',
    type: 'text',
    required: true,
    default: undefined,
    variable: 'VW_X_NAME',
    meaning: 'what it is called',
  });
  expect(keys['api.port']).toMatchObject({
    type: 'integer 1–65535',
    default: 8080,
    required: false,
    variable: 'VW_X_API_PORT',
  });
  expect(keys.note).toMatchObject({ required: false, default: undefined });
});

test('a value in force names its place', () => {
  const keys = keysOf('name = "n"\n[labels]\nsite = "x"\n', { VW_X_API_PORT: '81' });
  expect(keys.name).toMatchObject({ value: 'n', from: 'a.toml:1:8' });
  expect(keys.level).toMatchObject({ value: 'info', from: 'default' });
  expect(keys['api.port']).toMatchObject({ value: 81, from: 'VW_X_API_PORT' });
  expect(keys.labels).toMatchObject({ value: { site: 'x' }, from: 'a.toml:3:8' });
  expect(keys.note).toMatchObject({ value: undefined, from: 'default' });
});

test('as text: aligned, one block each', () => {
  const text = renderKeys(Object.values(keysOf('name = "n"')));
  expect(text).toContain(
    'name      = "n"  (a.toml:1:8)  text  required\n          what it is called\n          env VW_X_NAME\n',
  );
  expect(text).toContain('note      = not set  (default)  text\n');
});
