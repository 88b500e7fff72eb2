// The order in which keys are offered, from tables: who signs for a file, what is left out, and what only OpenSSH can use.
import { utils } from 'ssh2';
import { expect, test } from 'vitest';
import { parseIdentities } from './agent.ts';
import { arrange, type Identity, shownBlob } from './credentials.ts';

const field = (text: string | Buffer): Buffer => {
  const bytes = Buffer.from(text as string);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(bytes.length);
  return Buffer.concat([size, bytes]);
};
const blob = (name: string, type = 'ssh-ed25519'): Buffer => Buffer.concat([field(type), field(name)]);
const held = (name: string, type = 'ssh-ed25519') => ({ type, blob: blob(name, type), comment: name });
const file = (name: string, kind: 'open' | 'locked' | 'public' = 'open', certified = false): Identity => ({
  kind,
  path: name,
  key: Buffer.from(name),
  blob: blob(name),
  certified,
});
const labels = (files: readonly Identity[], keys: ReturnType<typeof held>[], only = false) => {
  const { offered, ...rest } = arrange(files, { held: keys, socket: '/run/agent', only });
  return { offered: offered.map((one) => `${one.kind} ${one.label}`), ...rest };
};

test('the agent signs for the files that it holds; they come first, its others next, plain files last', () => {
  expect(labels([file('plain'), file('work', 'locked')], [held('other'), held('work')])).toEqual({
    offered: ['agent work through ssh-agent', 'agent other of ssh-agent', 'key plain'],
    locked: [],
    special: undefined,
  });
});

test('a named file alone: the agent only signs for it, and a locked one that nobody holds is said', () => {
  expect(labels([file('work', 'locked')], [held('other'), held('work')], true).offered).toEqual([
    'agent work through ssh-agent',
  ]);
  expect(labels([file('work', 'locked')], [held('other')], true)).toMatchObject({ offered: [], locked: ['work'] });
  expect(labels([file('work', 'public')], [held('work')], true).offered).toHaveLength(1);
});

test('certificates and security keys ask for OpenSSH', () => {
  expect(labels([file('work', 'open', true)], []).special).toContain('work-cert.pub');
  expect(labels([], [held('c', 'ssh-ed25519-cert-v01@openssh.com')]).special).toContain('c of ssh-agent');
  expect(labels([], [held('s', 'sk-ssh-ed25519@openssh.com')]).special).toContain('sk-ssh-ed25519');
  expect(labels([file('a')], [held('c', 'ssh-ed25519-cert-v01@openssh.com')], true).special).toBeUndefined();
});

test('the answer of an agent, whole and cut', () => {
  const body = Buffer.concat([Buffer.from([12, 0, 0, 0, 1]), field(blob('a')), field('a key')]);
  expect(parseIdentities(field(body))).toEqual([{ type: 'ssh-ed25519', blob: blob('a'), comment: 'a key' }]);
  expect(parseIdentities(field(body).subarray(0, 30))).toEqual([]);
  expect(parseIdentities(Buffer.from([0, 0, 0, 1, 5]))).toEqual([]);
});

test('a locked file shows its public half', () => {
  const sealed = utils.generateKeyPairSync('ed25519', { passphrase: 'x', cipher: 'aes256-ctr', rounds: 16 });
  const shown = Buffer.from(sealed.public.split(' ')[1] ?? '', 'base64');
  expect(shownBlob(Buffer.from(sealed.private))?.equals(shown)).toBe(true);
});
