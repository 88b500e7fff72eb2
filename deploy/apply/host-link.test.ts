// The deployer's side of the conversation, against a scripted host: noise, bare hosts, errors by code, and every way to end.
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { type Clock, systemClock } from '../../agents/runtime/index.ts';
import { encodeMessage, FrameReader, type HostMessage, type HostRequest } from '../host/frames.ts';
import type { Remote, RemoteProcess } from '../remote/index.ts';
import { type HostLink, openLink } from './host-link.ts';

interface ScriptedHost {
  readonly word: string;
  say(message: HostMessage): void;
  print(text: string): void;
  next(): Promise<HostRequest>;
  line(): Promise<string | undefined>;
  bytes(count: number): Promise<string>;
  end(code: number | null, stderr?: string): void;
}

/** A connection whose other side is a function of the test. */
function remoteOf(behave: (host: ScriptedHost) => Promise<void> | void): Remote {
  const target = { name: 'be1', address: '192.0.2.10', port: 22, user: 'op', hostKeys: [] };
  const start = async (command: object): Promise<RemoteProcess> => {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const { promise, resolve } = Promise.withResolvers<{ code: number | null; signal: string | null }>();
    const reader = new FrameReader(stdin);
    const word = /session (vw[0-9a-f]+)/.exec(JSON.stringify(command))?.[1] ?? '';
    const host: ScriptedHost = {
      word,
      say: (message) => void stdout.write(encodeMessage(word, message)),
      print: (text) => void stdout.write(text),
      next: async () => JSON.parse((await reader.line()) ?? '') as HostRequest,
      line: () => reader.line(),
      async bytes(count) {
        const parts: Buffer[] = [];
        for await (const part of reader.bytes(count)) parts.push(part);
        return Buffer.concat(parts).toString();
      },
      end(code, said = '') {
        stderr.write(said);
        setImmediate(() => {
          stdout.end();
          resolve({ code, signal: null });
        });
      },
    };
    void behave(host);
    return { stdin, stdout, stderr, exited: promise, kill: () => resolve({ code: null, signal: 'KILL' }) };
  };
  return {
    target,
    hostKey: '',
    dialledMs: null,
    ended: new Promise(() => undefined),
    start,
    exec: () => Promise.reject(new Error('not here')),
    forward: () => Promise.reject(new Error('not here')),
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

const notes: string[] = [];
const link = (behave: (host: ScriptedHost) => Promise<void> | void, clock: Clock = systemClock): Promise<HostLink> =>
  openLink(remoteOf(behave), {
    clock,
    signal: AbortSignal.timeout(10_000),
    note: (step, detail) => void notes.push(`${step}: ${detail}`),
  });
const HELLO: HostMessage = { type: 'hello', helper: 'digest', uid: 0 };

test('noise is skipped, answers find their questions, bytes travel with them', async () => {
  const open = await link(async (host) => {
    host.print('Welcome to Debian\nvwother {"type":"hello"}\nno newline');
    host.print('\n');
    host.say(HELLO);
    const first = await host.next();
    const second = await host.next();
    const payload = await host.bytes(second.bytes);
    host.print('a stray line of .bashrc\n');
    host.say({ type: 'note', id: first.id, step: 'started', detail: 'unit' });
    host.say({ type: 'done', id: second.id, value: `${second.op} ${payload}` });
    host.say({ type: 'done', id: first.id, value: first.args });
  });
  expect([open.helper(), open.bare()]).toEqual(['digest', undefined]);
  const one = open.request('facts', { a: 1 });
  const two = open.request('put', {}, { payload: Buffer.from('bytes\n') });
  expect(await Promise.all([one, two])).toEqual([{ a: 1 }, 'put bytes\n']);
  expect(notes).toContain('started: unit');
});

test('a bare host says so', async () => {
  const open = await link((host) => host.say({ type: 'bare', facts: { arch: 'x86_64', root: 'yes' } }));
  expect(open.bare()).toEqual({ arch: 'x86_64', root: 'yes' });
  expect(open.helper()).toBe('');
});

test("the host's errors keep their codes, and get the name of the host", async () => {
  const open = await link(async (host) => {
    host.say(HELLO);
    const failures: Partial<HostMessage & { type: 'failed' }>[] = [
      { code: 'VW_DEPLOY_LOCKED', message: 'm', detail: { holder: 'ann' } },
      { code: 'gate', message: 'link: refused' },
      { code: 'failed', message: 'ENOENT' },
    ];
    for (const failure of failures) {
      const { id } = await host.next();
      host.say({ type: 'failed', id, code: '', message: '', detail: {}, ...failure });
    }
  });
  await expect(open.request('lock')).rejects.toMatchObject({
    code: 'VW_DEPLOY_LOCKED',
    exitCode: 5,
    detail: { host: 'be1', holder: 'ann' },
  });
  await expect(open.request('verify')).rejects.toMatchObject({
    code: 'VW_DEPLOY_HOST_FAILED',
    detail: { what: 'verification', reason: 'link: refused' },
  });
  await expect(open.request('stage')).rejects.toMatchObject({
    code: 'VW_DEPLOY_HOST_FAILED',
    detail: { what: 'stage' },
  });
});

test.each<[string, (host: ScriptedHost) => void, string, number]>([
  ['sudo asks for a password', (host) => host.end(1, 'sudo: a password is required'), 'VW_DEPLOY_PRIVILEGE', 10],
  ['the shell exits at once', (host) => host.end(0), 'VW_DEPLOY_SHELL', 10],
  ['the shell is none', (host) => host.end(1, 'This account is currently not available.'), 'VW_DEPLOY_SHELL', 10],
  ['the disk is full', (host) => host.end(1, 'gzip: stdout: No space left on device'), 'VW_DEPLOY_SPACE', 11],
])('%s', async (_name, behave, code, exitCode) => {
  await expect(link(behave)).rejects.toMatchObject({ code, exitCode });
});

test('a helper that ends in the middle rejects what is open and what comes later', async () => {
  const open = await link(async (host) => {
    host.say(HELLO);
    await host.next();
    host.end(70, 'viworks host: broken');
  });
  await expect(open.request('facts')).rejects.toMatchObject({ code: 'VW_DEPLOY_HOST_FAILED' });
  await expect(open.request('facts')).rejects.toThrow('ended with code 70');
});

test('silence has an end', async () => {
  const hurried: Clock = { ...systemClock, after: (_ms, callback) => systemClock.after(20, callback) };
  await expect(link(() => undefined, hurried)).rejects.toMatchObject({ code: 'VW_DEPLOY_SHELL' });
  const open = await link((host) => host.say(HELLO));
  await expect(open.request('facts', {}, { ms: 20 })).rejects.toMatchObject({ code: 'VW_REMOTE_DEADLINE' });
});

test('a new helper greets again', async () => {
  const open = await link(async (host) => {
    host.say(HELLO);
    expect((await host.next()).op).toBe('replace-yourself');
    host.say({ ...HELLO, helper: 'newer' });
  });
  await open.replaceHelper();
  expect(open.helper()).toBe('newer');
});
