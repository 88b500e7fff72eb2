// A connection that the system's OpenSSH makes, behind the same interface: one master a host, sessions and forwards over its socket.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, type Readable } from 'node:stream';
import { withDeadline } from '../../agents/runtime/index.ts';
import { commandLine, scriptLine } from './argv.ts';
import { runToEnd } from './channel.ts';
import type { Credentials } from './credentials.ts';
import { loginError } from './ends.ts';
import { remoteErrors } from './errors.ts';
import { algorithmsFor, type KnownHost, type ShownKey } from './host-key.ts';
import { changed } from './node.ts';
import { endOfOpenSsh, type Heard, lastWords, readLog, refusalOf } from './openssh-log.ts';
import { pathsOf, type Settings, settingOf } from './ssh-config.ts';
import type { Remote, RemoteCommand, RemoteContext, RemoteProcess, RemoteTarget } from './target.ts';

/** What one connection is made of. */
export interface OpenSshAttempt {
  readonly target: RemoteTarget;
  readonly context: RemoteContext;
  readonly settings: Settings;
  readonly credentials: Credentials;
  readonly known: readonly KnownHost[];
  readonly limitMs: number;
  /** Whether ssh may ask on the terminal. */
  readonly mayAsk: boolean;
}

const READY = 'viworks-ready';
const ASIDE_BYTES = 4_096;
/** How long the master may take to write down why a forward failed, in ms. */
const REASON_MS = 500;
/** A master's socket has a random suffix while it is made, and a path of at most 104 bytes. */
const LONGEST_DIRECTORY = 60;

// Ends ssh and takes its directory away when our end of its input closes, however this process ends; Ctrl-C is for viworks, which still
// needs the connection then.
const KEEPER = `trap '' INT QUIT HUP; d=$1; shift; exec 3<&0; ssh "$@" </dev/null 3<&- & p=$!
{ cat >/dev/null; rm -rf "$d"; kill $p; } <&3 >/dev/null 2>&1 & w=$!
exec 3<&-; wait $p; r=$?; kill $w 2>/dev/null; exit $r`;

/** Connects and logs in. Throws the error of a login end. */
export async function connectOpenSsh(attempt: OpenSshAttempt): Promise<Remote> {
  // A pin has no type: a server that shows another key is asked for its keys of the other types, one after the other.
  const shown: ShownKey[] = [];
  for (;;) {
    const opened = await openMaster(attempt, shown);
    if ('remote' in opened) return opened.remote;
    if (attempt.target.hostKeys.length === 0) throw opened.error;
    const isNew = opened.key !== undefined && !shown.some((key) => key.type === opened.key?.type);
    const isRefused = opened.error.detail.end === 'host-key-unknown';
    if (isRefused && isNew) shown.push(opened.key as ShownKey);
    else if (shown.length > 0 && (isRefused || opened.error.detail.end === 'protocol-error'))
      throw changed(attempt.target, shown);
    else throw opened.error;
  }
}

/** Reads the key that a host shows, without logging in and without trusting it. */
export async function readKeyOpenSsh(attempt: OpenSshAttempt): Promise<ShownKey> {
  const target = { ...attempt.target, hostKeys: ['none'] };
  const opened = await openMaster({ ...attempt, target }, []);
  if ('remote' in opened) await opened.remote.close();
  else if (opened.key) return opened.key;
  else throw opened.error;
  throw loginError('protocol-error', attempt.target, { detail: { reason: 'it showed no host key' } });
}

type Opened =
  | { readonly remote: Remote }
  | { readonly error: ReturnType<typeof endOfOpenSsh>; readonly key: ShownKey | undefined };

async function openMaster(attempt: OpenSshAttempt, shown: readonly ShownKey[]): Promise<Opened> {
  const { target, context, settings, credentials, known, limitMs } = attempt;
  const base = tmpdir().length > LONGEST_DIRECTORY ? '/tmp' : tmpdir();
  const directory = await mkdtemp(join(base, 'viworks-ssh-'));
  const log = join(directory, 'log');
  const child = spawn(
    '/bin/sh',
    ['-c', KEEPER, 'ssh', directory, ...(await masterArgs(attempt, { directory, shown }))],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      // Without a terminal nothing can be asked; with one, ssh has to stay in its session.
      detached: !attempt.mayAsk,
      env: { ...context.env, LC_ALL: 'C' },
    },
  );
  child.stdin.on('error', () => undefined);
  let aside = '';
  child.stderr.on('data', (part: Buffer) => {
    aside = (aside + part.toString('utf8')).slice(-ASIDE_BYTES);
  });
  const over = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()));
  const stop = async (): Promise<void> => {
    child.stdin.end();
    const giveUp = context.clock.after(2_000, () => child.kill('SIGKILL'));
    await over;
    giveUp.cancel();
    await rm(directory, { recursive: true, force: true });
  };
  const hear = async (): Promise<Heard> => readLog(await readFile(log, 'utf8').catch(() => ''));
  const dial = watchDial(attempt, hear);
  try {
    const isOpen = await withDeadline(
      () => Promise.race([heardReady(child.stdout), over.then(() => false), dial.late]),
      {
        ms: limitMs,
        clock: context.clock,
        signal: context.signal,
        onTimeout: () => loginError('timeout', target, { detail: { reason: `no login within ${limitMs} ms` } }),
      },
    );
    const heard = await hear();
    if (isOpen)
      return { remote: createRemote({ attempt, directory, over, stop, hostKey: heard.key?.fingerprint ?? '' }) };
    const proxy = settingOf(settings.config, 'proxyjump') ?? settingOf(settings.config, 'proxycommand');
    await stop();
    const said = heard.said.length > 0 ? heard : { ...heard, said: [lastWords(aside)] };
    return { error: endOfOpenSsh(said, { target, credentials, known, proxy, aside }), key: heard.key };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    dial.end();
  }
}

/** `late` rejects where ssh still dials after `dialMs`, by its own log; how long a proxy takes is not seen here. */
function watchDial(
  { target, context, settings, limitMs }: OpenSshAttempt,
  hear: () => Promise<Heard>,
): { readonly late: Promise<never>; end(): void } {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const ms = context.dialMs ?? limitMs;
  const isDirect = ['proxyjump', 'proxycommand'].every((name) => settingOf(settings.config, name) === undefined);
  if (!isDirect || ms >= limitMs) return { late, end: () => undefined };
  const timer = context.clock.after(ms, () => {
    void hear().then((heard) => {
      if (!heard.isConnected)
        reject(loginError('timeout', target, { detail: { reason: `no answer within ${ms} ms` } }));
    });
  });
  return { late, end: () => timer.cancel() };
}

async function masterArgs(
  { target, settings, mayAsk }: OpenSshAttempt,
  of: { readonly directory: string; readonly shown: readonly ShownKey[] },
): Promise<readonly string[]> {
  const { directory } = of;
  const options = [
    'ControlMaster=yes',
    'ControlPersist=no',
    // A changed or unknown key is never accepted, whatever the configuration says.
    'StrictHostKeyChecking=yes',
    'UpdateHostKeys=no',
    `BatchMode=${mayAsk ? 'no' : 'yes'}`,
    'PermitLocalCommand=yes',
    `LocalCommand=echo ${READY}`,
    'RemoteCommand=none',
    'RequestTTY=no',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'ForwardX11=no',
    'ServerAliveInterval=5',
    'ServerAliveCountMax=3',
    `User=${target.user}`,
    `Port=${target.port}`,
    ...(target.identityFile === undefined ? [] : ['IdentitiesOnly=yes', `IdentityFile="${target.identityFile}"`]),
    // With a home directory of its own, ssh would look into the account's.
    ...(target.identityFile === undefined && settings.files.length > 0
      ? pathsOf(settings, 'identityfile', target).map((path) => `IdentityFile="${path}"`)
      : []),
    ...(await keyOptions(target, settings, of)),
  ];
  return [
    ...settings.files,
    ...['-v', '-E', join(directory, 'log'), '-M', '-S', join(directory, 'master'), '-N', '-T'],
    ...options.flatMap((option) => ['-o', option]),
    ...['--', target.alias ?? target.address],
  ];
}

// A pin is a fingerprint, and known_hosts holds keys: a command that ssh asks about the shown key answers for the pins.
async function keyOptions(
  target: RemoteTarget,
  settings: Settings,
  { directory, shown }: { readonly directory: string; readonly shown: readonly ShownKey[] },
): Promise<readonly string[]> {
  if (target.hostKeys.length === 0) {
    const files = pathsOf(settings, 'userknownhostsfile', target);
    return settings.files.length > 0 && files.length > 0 ? [`UserKnownHostsFile=${files.join(' ')}`] : [];
  }
  const pins = target.hostKeys.map((pin) => commandLine([pin.trim().replace(/=+$/, '')])).join('|');
  const script = join(directory, 'pins');
  await writeFile(script, `case "$1" in ${pins}) printf '%s %s %s\\n' "$4" "$2" "$3" ;; esac\n`, { mode: 0o600 });
  const types = algorithmsFor(
    [],
    shown.map((key) => key.type),
  ).filter((type) => type !== 'ssh-rsa');
  return [
    `KnownHostsCommand=/bin/sh ${script} %f %t %K %H`,
    'UserKnownHostsFile=/dev/null',
    'GlobalKnownHostsFile=/dev/null',
    `HostKeyAlgorithms=${types.join(',')}`,
  ];
}

function heardReady(stdout: Readable): Promise<true> {
  return new Promise((resolve) => {
    let text = '';
    stdout.on('data', (part: Buffer) => {
      text = (text + part.toString('latin1')).slice(-ASIDE_BYTES);
      if (text.includes(READY)) resolve(true);
    });
  });
}

interface Master {
  readonly attempt: OpenSshAttempt;
  readonly directory: string;
  readonly over: Promise<void>;
  readonly hostKey: string;
  stop(): Promise<void>;
}

function createRemote(master: Master): Remote {
  const { target, context } = master.attempt;
  const sessions = new Sessions(master);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    context.signal.removeEventListener('abort', abort);
    closing ??= master.stop();
    return closing;
  };
  const abort = (): void => void close();
  context.signal.addEventListener('abort', abort, { once: true });
  const ended = master.over.then(() => {
    sessions.isOver = true;
    if (closing !== undefined || context.signal.aborted) return undefined;
    void close();
    return remoteErrors.create('VW_REMOTE_DROPPED', { host: target.name, what: 'it was open' });
  });
  const start = (command: RemoteCommand): Promise<RemoteProcess> => sessions.start(command);
  return {
    target,
    hostKey: master.hostKey,
    dialledMs: null,
    ended,
    exec: (command, options = {}) => runToEnd({ target, context, start }, command, options),
    start,
    forward: (host, port) => sessions.forward(host, port),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What runs over a master's socket: an ssh process for each command and each dial. */
class Sessions {
  isOver = false;
  readonly #master: Master;
  #count = 0;

  constructor(master: Master) {
    this.#master = master;
  }

  async start(command: RemoteCommand): Promise<RemoteProcess> {
    const line = 'script' in command ? scriptLine(command.script) : commandLine(command.argv);
    const what = 'script' in command ? 'a script' : (command.argv[0] ?? 'a command');
    if (this.isOver) throw this.#dropped(`asking for ${what}`);
    const log = join(this.#master.directory, `session${++this.#count}`);
    const child = this.#spawn(['-vv', '-E', log, 'viworks', line]);
    const exited = closed(child).then(async (code) => {
      const said = await readFile(log, 'utf8').catch(() => '');
      await rm(log, { force: true });
      const status = /Received exit status from master (\d+)/.exec(said)?.[1];
      if (status !== undefined) return { code: Number(status), signal: null };
      await this.#settle();
      if (this.isOver) throw this.#dropped(`running ${what}`);
      const refusal = /session request failed: (.*)|request failed: (.*)/.exec(said);
      if (refusal) throw this.#refused(what, new Error(refusal[1] ?? refusal[2]));
      // OpenSSH passes on that a signal ended the command, not which one.
      return { code: child.signalCode === null && code !== 255 ? code : null, signal: child.signalCode ?? 'unknown' };
    });
    exited.catch(() => undefined);
    return {
      stdin: child.stdin,
      stdout: child.stdout,
      stderr: child.stderr,
      exited,
      kill: () => child.kill('SIGTERM'),
    };
  }

  async forward(host: string, port: number): Promise<Duplex> {
    const place = `${host}:${port}`;
    if (this.isOver) throw this.#dropped(`asking for ${place}`);
    const offset = (await this.#log()).length;
    const child = this.#spawn(['-v', '-W', host.includes(':') ? `[${host}]:${port}` : place, 'viworks']);
    let said = '';
    const isOpen = await new Promise<boolean>((resolve) => {
      child.stderr.on('data', (part: Buffer) => {
        said = (said + part.toString('utf8')).slice(-ASIDE_BYTES);
        if (/master session id/.test(said)) resolve(true);
      });
      void closed(child).then(() => resolve(false));
    });
    if (isOpen) return joined(child);
    const refusal = await this.#reason(place, offset);
    if (this.isOver) throw this.#dropped(`asking for ${place}`);
    const cause = new Error(`(SSH) Channel open failure: ${refusal?.message ?? lastWords(said)}`);
    throw this.#refused(place, refusal ? Object.assign(cause, { reason: refusal.reason }) : cause);
  }

  // The master writes the reason into its log, beside the answer to the client.
  async #reason(place: string, offset: number): Promise<ReturnType<typeof refusalOf>> {
    const { clock, signal } = this.#master.attempt.context;
    const until = clock.monotonicMs() + REASON_MS;
    for (;;) {
      const found = refusalOf((await this.#log()).slice(offset), place);
      if (found || this.isOver || clock.monotonicMs() > until) return found;
      await clock.sleep(20, signal);
    }
  }

  #log(): Promise<string> {
    return readFile(join(this.#master.directory, 'log'), 'latin1').catch(() => '');
  }

  /** A master that broke ends a moment after its clients. */
  async #settle(): Promise<void> {
    const { clock, signal } = this.#master.attempt.context;
    const until = clock.monotonicMs() + REASON_MS;
    while (!this.isOver && !signal.aborted && clock.monotonicMs() < until) await clock.sleep(20, signal);
  }

  #spawn(
    args: readonly string[],
  ): ChildProcess & { stdin: NonNullable<ChildProcess['stdin']>; stdout: Readable; stderr: Readable } {
    // Over the socket or not at all: a client without its master would make a connection of its own.
    const options = ['ControlMaster=no', 'ProxyCommand=exit 255', 'BatchMode=yes', 'ClearAllForwardings=no'];
    const socket = join(this.#master.directory, 'master');
    const child = spawn('ssh', ['-F', 'none', '-S', socket, '-T', ...options.flatMap((one) => ['-o', one]), ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...this.#master.attempt.context.env, LC_ALL: 'C' },
    });
    child.stdin.on('error', () => undefined);
    return child;
  }

  #dropped(what: string): Error {
    return remoteErrors.create('VW_REMOTE_DROPPED', { host: this.#master.attempt.target.name, what });
  }

  #refused(what: string, cause: Error): Error {
    const detail = { host: this.#master.attempt.target.name, what, reason: cause.message };
    return remoteErrors.create('VW_REMOTE_CHANNEL', detail, cause);
  }
}

function closed(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('close', (code) => resolve(code));
    child.once('error', () => resolve(null));
  });
}

function joined(child: ReturnType<typeof spawn>): Duplex {
  const stream = Duplex.from({ readable: child.stdout as Readable, writable: child.stdin as NodeJS.WritableStream });
  stream.once('close', () => child.kill('SIGTERM'));
  return stream;
}
