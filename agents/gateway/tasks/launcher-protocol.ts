// The agent's side of the launcher's language, pure: requests → bytes, bytes → replies. The other side is launcher/launcher.pl.
//
// One request per connection. Both directions: u32 length of the head, u32 length of the body (big endian), head, body.
// A head is `key=value` fields, each ended by NUL; values are bytes without NUL (argv and environment cannot hold one).

/** What a launcher can do on this machine. */
export interface LauncherAbilities {
  readonly cgroup: 'kill' | 'group' | 'none';
  readonly subreaper: boolean;
  readonly bootId: string;
  readonly tasksDir: string;
  /** Why no task could be given its spool at this moment (ENOSPC, EROFS …); empty when one could. */
  readonly spool: string;
}

/** One run of a program. `env` is added to the task's clean environment. */
export interface StartRequest {
  readonly taskId: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly stdin?: Uint8Array | undefined;
  /** Kept by the task's waiter, so it holds also while the agent is away. 0: none. */
  readonly timeoutMs: number;
  readonly graceMs: number;
}

/** Anything that may be asked. */
export type LauncherRequest =
  | { readonly op: 'ping' }
  | ({ readonly op: 'start' } & StartRequest)
  | { readonly op: 'status'; readonly taskId?: string }
  | { readonly op: 'seal' | 'pause' | 'resume' | 'forget'; readonly taskId: string }
  | {
      readonly op: 'end';
      readonly taskId: string;
      readonly reason: 'cancelled' | 'timed_out';
      readonly graceMs: number;
    };

/** How a task ended, as its waiter wrote it down. */
export interface Ending {
  readonly reason: 'exited' | 'cancelled' | 'timed_out';
  readonly code: number | undefined;
  /** Signal number. */
  readonly signal: number | undefined;
  readonly leftovers: number;
  readonly killMode: 'none' | 'cgroup' | 'sweep';
  readonly escalated: boolean;
  readonly oomKilled: boolean;
  readonly durationMs: number;
  /** Sizes of the spool when the tree was empty. */
  readonly out: number;
  readonly err: number;
  /** Processes that could not be killed. */
  readonly survivors: readonly number[];
  /** The waiter was lost, and the exit code with it. */
  readonly lost: boolean;
  /** Why the disk did not take this record; its waiter holds it in memory, and goes on trying. */
  readonly unwritten: string | undefined;
}

/** What the launcher can say about one task. Nothing here is a guess. */
export type Evidence =
  | { readonly state: 'unknown' | 'starting' | 'orphaned' | 'not_started' | 'ending' | 'forgotten' | 'paused' }
  | { readonly state: 'running'; readonly elapsedMs: number }
  | { readonly state: 'exited'; readonly ending: Ending }
  | { readonly state: 'start_failed'; readonly stage: string; readonly errno: string }
  | { readonly state: 'indeterminate'; readonly message: string }
  | { readonly state: 'refused'; readonly message: string };

const encoder = new TextEncoder();

/** Bytes of a request. Throws RangeError for a NUL, which no argument of a program can hold. */
export function encodeRequest(request: LauncherRequest): Uint8Array {
  const fields: [string, string][] = [['op', request.op]];
  let body: Uint8Array = new Uint8Array();
  if ('taskId' in request && request.taskId !== undefined) fields.push(['task', request.taskId]);
  if (request.op === 'end') fields.push(['reason', request.reason], ['grace_ms', String(request.graceMs)]);
  if (request.op === 'start') {
    for (const argument of request.argv) fields.push(['argv', argument]);
    for (const [name, value] of Object.entries(request.env)) fields.push(['env', `${name}=${value}`]);
    if (request.cwd !== undefined) fields.push(['cwd', request.cwd]);
    fields.push(['timeout_ms', String(request.timeoutMs)], ['grace_ms', String(request.graceMs)]);
    body = request.stdin ?? body;
  }
  if (fields.some(([, value]) => value.includes('\0'))) throw new RangeError('an argument holds a NUL byte');
  const head = encoder.encode(fields.map(([key, value]) => `${key}=${value}\0`).join(''));
  const bytes = new Uint8Array(8 + head.length + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, head.length);
  view.setUint32(4, body.length);
  bytes.set(head, 8);
  bytes.set(body, 8 + head.length);
  return bytes;
}

/** The fields of a whole reply, or undefined while bytes are missing. */
export function decodeReply(bytes: Uint8Array): readonly (readonly [string, string])[] | undefined {
  if (bytes.length < 8) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getUint32(0);
  if (bytes.length < 8 + length) return undefined;
  return fieldsOf(new TextDecoder().decode(bytes.subarray(8, 8 + length)), '\0');
}

function fieldsOf(text: string, end: string): readonly (readonly [string, string])[] {
  return text.split(end).flatMap((field) => {
    const at = field.indexOf('=');
    return at < 0 ? [] : [[field.slice(0, at), field.slice(at + 1)] as const];
  });
}

/** Evidence about one task. */
export function parseEvidence(fields: readonly (readonly [string, string])[]): Evidence {
  const get = new Map(fields);
  const state = get.get('state');
  switch (state) {
    case 'unknown':
    case 'starting':
    case 'orphaned':
    case 'not_started':
    case 'ending':
    case 'forgotten':
    case 'paused':
      return { state };
    case 'running':
      return { state, elapsedMs: count(get.get('elapsed_ms')) };
    case 'exited':
      return { state, ending: parseEnding(get) };
    case 'start_failed':
      return { state, stage: get.get('stage') ?? 'unknown', errno: get.get('errno') ?? 'unknown' };
    case 'indeterminate':
      return { state, message: get.get('message') ?? '' };
    case 'refused':
      return { state, message: get.get('message') ?? '' };
    default:
      return { state: 'refused', message: `the launcher answered ${JSON.stringify(state ?? 'nothing')}` };
  }
}

/** Evidence about every task of a `status` without an id: groups of fields, each begun by `task`. */
export function parseList(fields: readonly (readonly [string, string])[]): ReadonlyMap<string, Evidence> {
  const groups = new Map<string, (readonly [string, string])[]>();
  let group: (readonly [string, string])[] | undefined;
  for (const field of fields) {
    if (field[0] === 'task') {
      group = [];
      groups.set(field[1], group);
    }
    group?.push(field);
  }
  return new Map([...groups].map(([id, own]) => [id, parseEvidence(own)]));
}

/** The record of a task's end, `rc`: the fields of a reply, one a line. Undefined when it is not whole. */
export function parseRecord(text: string): Evidence | undefined {
  const get = new Map(fieldsOf(text, '\n'));
  const failed = get.get('failed');
  // Launchers before it wrote no state, and a failed start as `failed`.
  const state = get.get('state') ?? (failed === undefined ? 'exited' : 'start_failed');
  const stage = get.get('stage') ?? failed;
  if (state === 'exited') {
    const whole = get.has('reason') && get.has('out');
    return whole ? { state, ending: parseEnding(get) } : undefined;
  }
  return stage === undefined ? undefined : { state: 'start_failed', stage, errno: get.get('errno') ?? 'unknown' };
}

function parseEnding(get: ReadonlyMap<string, string>): Ending {
  const reason = get.get('reason');
  const killMode = get.get('killmode');
  return {
    reason: reason === 'cancelled' || reason === 'timed_out' ? reason : 'exited',
    code: optional(get.get('code')),
    signal: optional(get.get('signal')),
    leftovers: count(get.get('leftovers')),
    killMode: killMode === 'cgroup' || killMode === 'sweep' ? killMode : 'none',
    escalated: get.get('escalated') === '1',
    oomKilled: get.get('oom') === '1',
    durationMs: count(get.get('duration_ms')),
    out: count(get.get('out')),
    err: count(get.get('err')),
    survivors: (get.get('survivors') ?? '').split(',').filter(Boolean).map(Number),
    lost: get.get('lost') === '1',
    unwritten: get.get('unwritten'),
  };
}

function optional(text: string | undefined): number | undefined {
  return text === undefined || text === '' ? undefined : Number(text);
}

function count(text: string | undefined): number {
  const value = Number(text ?? '0');
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
