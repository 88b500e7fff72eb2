// The one error class of the project and the way rooms declare their catalogues.
// What status, close code or exit code a failure has is looked up by its code at each boundary, never set where it is thrown.

/** Whether trying again can help: never, now, or later (after a back-off). */
export type Retry = 'never' | 'now' | 'later';

/** One row of a room's error catalogue. `message` and `hint` may name detail fields as `{field}`. */
export interface ErrorSpec {
  readonly message: string;
  /** What the operator can do next, with the command where there is one. */
  readonly hint: string;
  readonly retry: Retry;
  /** Process exit code when this error ends a command; 1 unless it says otherwise. */
  readonly exitCode?: number;
}

/** Plain data that describes one occurrence. Never a secret. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** An error that a person or a program can act on: stable code, message, hint, retry class. */
export class ViworksError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly retry: Retry;
  readonly exitCode: number;
  readonly detail: ErrorDetail;

  constructor(init: { code: string; spec: ErrorSpec; detail?: ErrorDetail; cause?: unknown }) {
    const detail = init.detail ?? {};
    super(fill(init.spec.message, detail), init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'ViworksError';
    this.code = init.code;
    this.hint = fill(init.spec.hint, detail);
    this.retry = init.spec.retry;
    this.exitCode = init.spec.exitCode ?? 1;
    this.detail = detail;
  }
}

/** A catalogue: the rows by code, and `create` to make an error of one of them. */
export interface ErrorCatalogue<TCode extends string> {
  readonly specs: Readonly<Record<TCode, ErrorSpec>>;
  create(code: TCode, detail?: ErrorDetail, cause?: unknown): ViworksError;
}

/** Declares a room's errors. Codes read `VW_<ROOM>_<WHAT>` and are never reused. */
export function defineErrors<const TSpecs extends Record<`VW_${string}`, ErrorSpec>>(
  specs: TSpecs,
): ErrorCatalogue<Extract<keyof TSpecs, string>> {
  return {
    specs: specs as Readonly<Record<Extract<keyof TSpecs, string>, ErrorSpec>>,
    create: (code, detail, cause) =>
      new ViworksError({
        code,
        spec: specs[code as keyof TSpecs] as ErrorSpec,
        ...(detail === undefined ? {} : { detail }),
        ...(cause === undefined ? {} : { cause }),
      }),
  };
}

/** The runtime's own rows. */
export const runtimeErrors = defineErrors({
  VW_RUNTIME_BUG: {
    message: 'viworks reached a state that it does not know: {what}',
    hint: 'report this with the output of `viworks --version` and the log around it',
    retry: 'never',
    exitCode: 70,
  },
  VW_RUNTIME_CONFIG: {
    message: '{problems}',
    hint: 'correct the lines named above; `viworks config explain` prints every key with its default',
    retry: 'never',
    exitCode: 64,
  },
  VW_RUNTIME_CONFIG_UNREADABLE: {
    message: 'cannot read {file}: {reason}',
    hint: '{remedy}',
    retry: 'never',
    exitCode: 64,
  },
  VW_RUNTIME_SECRET_UNREADABLE: {
    message: 'cannot read the secret {name} from {file}: {reason}',
    hint: 'check the path and its owner; a secret file should have mode 0600: ls -l {file}',
    retry: 'never',
    exitCode: 64,
  },
  VW_RUNTIME_INTERRUPTED: {
    message: 'interrupted by {signal}',
    hint: 'run the command again to go on',
    retry: 'never',
    exitCode: 130,
  },
  VW_RUNTIME_DEADLINE: {
    message: '{what} took longer than {limitMs} ms',
    hint: 'look at the load of the machine, then try again',
    retry: 'later',
  },
  VW_RUNTIME_LOOP_ENDED: {
    message: 'the loop {loop} ended unexpectedly',
    hint: 'the process restarts automatically; see the log line before this one',
    retry: 'later',
  },
  VW_RUNTIME_CONTEXTS_UNREADABLE: {
    message: 'cannot read the contexts in {file}: {reason}',
    hint: 'correct the file, or move it away and run `viworks up` or `viworks deploy apply` to have it written again',
    retry: 'never',
    exitCode: 64,
  },
  VW_RUNTIME_CONTEXTS_UNWRITABLE: {
    message: 'cannot write the context into {directory}: {reason}',
    hint: 'make the directory writable for this user (ls -ld {directory}; df {directory}), or choose another with XDG_CONFIG_HOME',
    retry: 'never',
    exitCode: 64,
  },
  VW_RUNTIME_NO_CONTEXT: {
    message: 'unknown context {name}; known: {known}',
    hint: 'choose one of them with --context, or give --url and --token-file',
    retry: 'never',
    exitCode: 64,
  },
  VW_RUNTIME_NO_TARGET: {
    message: 'no backend to talk to: neither a context nor a URL is known',
    hint: 'start one here with `viworks up`, or give --url and --token-file (VIWORKS_URL, VIWORKS_TOKEN_FILE)',
    retry: 'never',
    exitCode: 64,
  },
  VW_RUNTIME_PLAIN_URL: {
    message: '{url} would send the token over the network in the clear',
    hint: 'use https://, or a tunnel to the loopback address of the backend host: ssh -L 8080:127.0.0.1:8080 HOST',
    retry: 'never',
    exitCode: 64,
  },
  VW_RUNTIME_BAD_URL: {
    message: '{url} is not the URL of a backend',
    hint: 'give it as https://HOST[:PORT]',
    retry: 'never',
    exitCode: 64,
  },
  VW_RUNTIME_USAGE: {
    message: '{problem}',
    hint: 'run `{command} --help` for the options and examples',
    retry: 'never',
    exitCode: 64,
  },
});

/** Makes a ViworksError of whatever was thrown; a foreign error becomes VW_RUNTIME_BUG with the original as its cause. */
export function fromUnknown(thrown: unknown): ViworksError {
  if (thrown instanceof ViworksError) return thrown;
  if (isAbort(thrown) && thrown instanceof Error && thrown.cause instanceof ViworksError) return thrown.cause;
  return runtimeErrors.create('VW_RUNTIME_BUG', { what: describe(thrown) }, thrown);
}

/** Whether something was thrown because its signal was aborted: not a failure. */
export function isAbort(thrown: unknown): boolean {
  if (thrown instanceof ViworksError) return thrown.code === 'VW_RUNTIME_INTERRUPTED';
  return thrown instanceof Error && (thrown.name === 'AbortError' || ('code' in thrown && thrown.code === 'ABORT_ERR'));
}

// How one starts Node is nothing that an operator of ours can change; what to do instead is in our own remedies.
const NODES_ADVICE = /; if the root CA is installed locally.*$/s;

/** Text of anything thrown, without a stack. */
export function describe(thrown: unknown): string {
  if (thrown instanceof AggregateError) return thrown.errors.map(describe).join('; ');
  if (thrown instanceof Error) return thrown.message.replace(NODES_ADVICE, '') || thrown.name;
  return String(thrown);
}

/** The errno name of a system error (`ENOENT`), or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') return thrown.code;
  return undefined;
}

function fill(template: string, detail: ErrorDetail): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = detail[name];
    return value === undefined ? whole : String(value);
  });
}
