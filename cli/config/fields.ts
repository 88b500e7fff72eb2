// JSON Schema → rows that a person can read.

/** The part of JSON Schema that our own schemas use. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/** One field: dotted path, type in words, whether it may be missing, and what it means. */
export interface Field {
  readonly path: string;
  readonly type: string;
  readonly optional: boolean;
  readonly default: unknown;
  readonly description: string;
}

/** Fields of an object schema, nested ones with dotted paths. */
export function fieldsOf(schema: JsonSchema, prefix = ''): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
    const path = `${prefix}${key}`;
    const inner = child.items ?? child;
    const nested = inner.properties ? fieldsOf(inner, `${path}${child.items ? '[]' : ''}.`) : [];
    const own = {
      path,
      type: typeInWords(child),
      optional: !(schema.required ?? []).includes(key),
      default: child.default,
      description: child.description ?? '',
    };
    return nested.length > 0 && !child.items ? nested : [own, ...nested];
  });
}

/** A type in words: `integer 1–65535`, `one of "a", "b"`, `list of text`. */
export function typeInWords(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return `one of ${schema.enum.map((value) => JSON.stringify(value)).join(', ')}`;
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map(typeInWords).join(' or ');
  switch (schema.type) {
    case 'array':
      return `list of ${schema.items ? typeInWords(schema.items) : 'anything'}`;
    case 'object':
      return typeof schema.additionalProperties === 'object' && !schema.properties
        ? `table of ${typeInWords(schema.additionalProperties)}`
        : 'table';
    case 'integer':
    case 'number':
      return `${schema.type === 'integer' ? 'integer' : 'number'}${range(schema)}`;
    case 'string':
      return schema.format === undefined ? 'text' : `text (${schema.format})`;
    default:
      return schema.type ?? 'anything';
  }
}

function range(schema: JsonSchema): string {
  const shown = (value: number | undefined): string | undefined =>
    value === undefined || Math.abs(value) >= Number.MAX_SAFE_INTEGER ? undefined : String(value);
  const low = shown(schema.minimum);
  const high = shown(schema.maximum);
  if (low !== undefined && high !== undefined) return ` ${low}–${high}`;
  if (low !== undefined) return ` ≥ ${low}`;
  return high === undefined ? '' : ` ≤ ${high}`;
}
