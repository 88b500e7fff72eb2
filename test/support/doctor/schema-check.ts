// A judge for exactly those JSON Schema words that report.schema.json uses; any other word is an error. For tests, so that no package is needed.

type Schema = Readonly<Record<string, unknown>>;

const known = [
  '$schema',
  '$id',
  '$defs',
  'title',
  'description',
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'enum',
  'const',
  'pattern',
  'maxItems',
  '$ref',
  'anyOf',
];

/** Paths and complaints; empty when the value fits. */
export function complaints(schema: Schema, value: unknown, root: Schema = schema, path = '$'): readonly string[] {
  const strange = Object.keys(schema).filter((word) => !known.includes(word));
  if (strange.length > 0) return [`${path}: the schema uses ${strange.join(', ')}`];
  if (typeof schema.$ref === 'string') {
    const name = schema.$ref.replace('#/$defs/', '');
    return complaints((root.$defs as Record<string, Schema>)[name] ?? {}, value, root, path);
  }
  if (Array.isArray(schema.anyOf)) {
    const tried = (schema.anyOf as readonly Schema[]).map((one) => complaints(one, value, root, path));
    return tried.find((list) => list.length === 0) ?? tried.flat();
  }
  if ('const' in schema) return value === schema.const ? [] : [`${path}: is not ${String(schema.const)}`];
  if (Array.isArray(schema.enum))
    return schema.enum.includes(value) ? [] : [`${path}: ${String(value)} is none of ${schema.enum.join(', ')}`];
  const types = [schema.type].flat();
  if (!types.some((type) => isOf(String(type), value))) return [`${path}: is not ${types.join(' or ')}`];
  if (typeof schema.pattern === 'string' && !new RegExp(schema.pattern).test(String(value)))
    return [`${path}: does not match ${schema.pattern}`];
  if (Array.isArray(value)) {
    const tooMany = typeof schema.maxItems === 'number' && value.length > schema.maxItems ? [`${path}: too long`] : [];
    return [
      ...tooMany,
      ...value.flatMap((item, index) => complaints(schema.items as Schema, item, root, `${path}[${index}]`)),
    ];
  }
  return typeof value === 'object' && value !== null
    ? fields(schema, value as Record<string, unknown>, root, path)
    : [];
}

function fields(schema: Schema, value: Record<string, unknown>, root: Schema, path: string): readonly string[] {
  const properties = (schema.properties ?? {}) as Record<string, Schema>;
  const missing = ((schema.required ?? []) as readonly string[])
    .filter((name) => !(name in value))
    .map((name) => `${path}.${name}: missing`);
  const extra = Object.keys(value)
    .filter((name) => !(name in properties))
    .map((name) => `${path}.${name}: not in the schema`);
  const inner = Object.entries(properties).flatMap(([name, of]) =>
    name in value ? complaints(of, value[name], root, `${path}.${name}`) : [],
  );
  return [...missing, ...extra, ...inner];
}

function isOf(type: string, value: unknown): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}
