// Defaults, a TOML file, VIWORKS_* variables and flags → one typed, frozen value that remembers where each part came from.
import type * as z from 'zod';
import { readConfigText } from './config-text.ts';
import { runtimeErrors } from './errors.ts';
import { parseToml, type TomlDocument } from './toml.ts';
import type { Problem } from './toml-syntax.ts';

/** Where one value came from. */
export interface Provenance {
  readonly source: 'default' | 'file' | 'environment' | 'flag';
  /** `file:line:col`, the variable's name or the flag. */
  readonly at: string;
}

/** A loaded configuration. `provenance` is keyed by dotted path (`api.port`). */
export interface LoadedConfig<T> {
  readonly value: T;
  readonly file: string | undefined;
  readonly provenance: ReadonlyMap<string, Provenance>;
}

/** What `loadConfig` reads. `check` judges the typed value as a whole (a port used twice) and gives problems by path. */
export interface ConfigSources<TSchema extends z.ZodType> {
  readonly schema: TSchema;
  readonly file?: string | undefined;
  /** Text instead of a file, for tests and for configs that came over the wire. */
  readonly text?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Variables are `<envPrefix>_API_PORT` for `api.port`, upper-cased; none are read without a prefix. */
  readonly envPrefix?: string | undefined;
  /** Dotted path → raw value. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
  readonly check?: (value: z.output<TSchema>) => readonly ConfigComplaint[];
}

/** A complaint of a `check`, placed by the path it names. */
export interface ConfigComplaint {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly remedy?: string | undefined;
  /** A second place to name, e.g. the other use of a port. */
  readonly also?: readonly (string | number)[] | undefined;
}

/**
 * Loads, merges and validates a configuration. Throws VW_RUNTIME_CONFIG with *all* problems as `file:line:col path: message`,
 * or VW_RUNTIME_CONFIG_UNREADABLE.
 */
export async function loadConfig<TSchema extends z.ZodType>(
  sources: ConfigSources<TSchema>,
): Promise<LoadedConfig<z.output<TSchema>>> {
  const text = sources.text ?? (sources.file === undefined ? '' : await readConfigText(sources.file));
  return parseConfig({ ...sources, text });
}

/** The pure part of {@link loadConfig}: the same, from text that was read already. */
export function parseConfig<TSchema extends z.ZodType>(
  sources: ConfigSources<TSchema> & { readonly text: string },
): LoadedConfig<z.output<TSchema>> {
  const name = sources.file ?? 'configuration';
  const parsed = parseToml(sources.text);
  if (!parsed.ok) throw problemsError(name, [parsed.problem]);
  const { document } = parsed;
  const provenance = new Map<string, Provenance>();
  const merged = structuredClone(document.values);
  for (const path of leafPaths(merged)) {
    const place = document.placeOf(path);
    provenance.set(path.join('.'), { source: 'file', at: place ? `${name}:${place.line}:${place.column}` : name });
  }
  overlayEnvironment(merged, sources, provenance);
  for (const [path, value] of Object.entries(sources.flags ?? {})) {
    if (value === undefined) continue;
    setAt(merged, path.split('.'), value);
    provenance.set(path, { source: 'flag', at: `--${path}` });
  }
  const result = sources.schema.safeParse(merged);
  if (!result.success) {
    throw problemsError(
      name,
      result.error.issues.flatMap((issue) => toProblems(issue, document)),
      provenance,
    );
  }
  const complaints = sources.check?.(result.data) ?? [];
  if (complaints.length > 0)
    throw problemsError(
      name,
      complaints.map((complaint) => placed(complaint, document)),
    );
  return { value: deepFreeze(result.data), file: sources.file, provenance };
}

function placed(complaint: ConfigComplaint, document: TomlDocument): Problem {
  const also = complaint.also ? document.placeOf(complaint.also) : undefined;
  return {
    place: document.placeOf(complaint.path),
    path: complaint.path.join('.'),
    message: also ? `${complaint.message} (line ${also.line})` : complaint.message,
    remedy: complaint.remedy,
  };
}

function toProblems(issue: z.core.$ZodIssue, document: TomlDocument): Problem[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      place: document.keyPlaceOf([...path, key]),
      path: [...path, key].join('.'),
      message: 'unknown key',
      remedy: 'remove it or correct its spelling; `viworks config explain` lists every key',
    }));
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined && !hasPath(document.values, path);
  const message = missing ? `missing; expected ${issue.expected}` : issue.message.replace(/^Invalid input: /, '');
  // What is missing has no place; it belongs into its table, or to the top.
  const place = document.placeOf(path) ?? (missing ? TOP : undefined);
  return [
    {
      place,
      path: path.join('.'),
      message,
      remedy: missing ? 'add it; `viworks config explain` says what it means' : quoting(issue),
    },
  ];
}

const TOP = { line: 1, column: 1 };

const BARE: ReadonlySet<string> = new Set(['number', 'int', 'boolean']);

function quoting(issue: z.core.$ZodIssue): string | undefined {
  if (issue.code !== 'invalid_type') return undefined;
  const { expected, input } = issue;
  if (BARE.has(expected) && typeof input === 'string') return 'write it without quotes';
  const bare = typeof input === 'number' || typeof input === 'boolean';
  return expected === 'string' && bare ? 'put it in quotes' : undefined;
}

function problemsError(
  file: string,
  problems: readonly Problem[],
  provenance?: ReadonlyMap<string, Provenance>,
): Error {
  const lines = problems.map((problem) => {
    const origin = provenance?.get(problem.path);
    const fromFile = problem.place ? `${file}:${problem.place.line}:${problem.place.column}` : file;
    const at = origin && origin.source !== 'file' ? origin.at : fromFile;
    const remedy = problem.remedy ? `\n  remedy: ${problem.remedy}` : '';
    return `${at}  ${problem.path === '' ? '' : `${problem.path}: `}${problem.message}${remedy}`;
  });
  return runtimeErrors.create('VW_RUNTIME_CONFIG', {
    problems: lines.join('\n'),
    count: problems.length,
    remedied: problems.some((problem) => problem.remedy !== undefined),
  });
}

function overlayEnvironment<TSchema extends z.ZodType>(
  merged: Record<string, unknown>,
  sources: ConfigSources<TSchema>,
  provenance: Map<string, Provenance>,
): void {
  if (sources.envPrefix === undefined) return;
  for (const path of schemaPaths(sources.schema)) {
    const variable = `${sources.envPrefix}_${path.join('_').toUpperCase()}`;
    const raw = sources.env?.[variable];
    if (raw === undefined) continue;
    setAt(merged, path, fromText(raw));
    provenance.set(path.join('.'), { source: 'environment', at: variable });
  }
}

// A variable is text; numbers and booleans are recognised by their exact spelling so that "false" never becomes true.
function fromText(raw: string): unknown {
  if (raw === 'true') return true;
  if (raw === 'false') return false;
  return /^-?\d+$/.test(raw) ? Number(raw) : raw;
}

/** Dotted paths of every leaf that an object schema names. */
export function schemaPaths(schema: z.ZodType, prefix: readonly string[] = []): string[][] {
  const inner = unwrap(schema);
  const shape = inner._zod.def.type === 'object' ? (inner as unknown as z.ZodObject).shape : undefined;
  if (!shape) return [[...prefix]];
  return Object.entries(shape).flatMap(([key, child]) => schemaPaths(child as z.ZodType, [...prefix, key]));
}

/** The schema inside defaults, optionals and the like. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const def = schema._zod.def as { type: string; innerType?: z.ZodType; in?: z.ZodType };
  if (def.innerType) return unwrap(def.innerType);
  if (def.type === 'pipe' && def.in) return unwrap(def.in);
  return schema;
}

function leafPaths(value: unknown, prefix: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[...prefix]];
  return Object.entries(value).flatMap(([key, child]) => leafPaths(child, [...prefix, key]));
}

function hasPath(value: unknown, path: readonly (string | number)[]): boolean {
  let at = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return false;
    at = (at as Record<string | number, unknown>)[part];
  }
  return true;
}

function setAt(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path;
  if (head === undefined || head === '__proto__') return;
  if (rest.length === 0) {
    target[head] = value;
    return;
  }
  const child = target[head];
  const next = typeof child === 'object' && child !== null ? (child as Record<string, unknown>) : {};
  target[head] = next;
  setAt(next, rest, value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}
