// What root reads for somebody else: plain files of those who may decide, and nothing else, however it is named.
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { PROOF } from './proof.ts';

const root = process.getuid?.() === 0;
const stranger = 54_321;

function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), 'viworks-proof-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** `take` with its arguments as words of sh. */
function take(...words: readonly string[]): string {
  const call = words.map((word) => `'${word}'`).join(' ');
  const script = `T='timeout 2'; LC_ALL=C; export LC_ALL\n${PROOF}\ntake ${call}`;
  return execFileSync('/bin/sh', ['-s'], { input: script }).toString();
}

function file(name: string, text = 'user nobody;\n'): string {
  const path = join(scratch(), name);
  writeFileSync(path, text, { mode: 0o644 });
  return path;
}

test('a plain file comes with its time and its owner', () => {
  expect(take(file('nginx.conf'))).toMatch(new RegExp(`^\\+[\\d.]+ ${process.getuid?.()}\nuser nobody;\n$`));
});

test.each(['server.key', 'privkey.pem', 'deploy-token', '.htpasswd', 'launcher.token'])('%s is a secret', (name) => {
  expect(take(file(name))).toBe('!refused secrets are kept there\n');
});

test.each(['/etc/shadow', '/proc/self/environ', '/dev/null', '/run/credentials/x.service/token'])('not %s', (path) => {
  expect(take(path)).toMatch(/^!refused/);
});

test('a link is judged by what it leads to', () => {
  const dir = scratch();
  symlinkSync('/etc/shadow', join(dir, 'a.conf'));
  symlinkSync('/proc/self/environ', join(dir, 'b.conf'));
  for (const name of ['a.conf', 'b.conf']) expect(take(join(dir, name))).toMatch(/^!refused/);
});

test('a FIFO does not hang it, a directory and a missing file are refused', () => {
  const dir = scratch();
  execFileSync('sh', ['-c', 'mkfifo "$0"', join(dir, 'pipe.conf')]);
  for (const name of ['pipe.conf', '.', 'missing.conf'])
    expect(take(join(dir, name))).toBe('!refused it is not a regular file\n');
});

test('what anybody may write is not believed, neither a file nor a directory', () => {
  const open = file('open.conf');
  chmodSync(open, 0o666);
  expect(take(open)).toBe('!refused anybody may write it\n');
  const dir = join(scratch(), 'open');
  mkdirSync(dir);
  writeFileSync(join(dir, 'a.conf'), 'x');
  chmodSync(dir, 0o777);
  expect(take(join(dir, 'a.conf'))).toBe('!refused anybody may write a directory on its way\n');
});

test.runIf(root)('a file of a stranger, or in his directory, is not read', () => {
  const own = file('own.conf');
  chownSync(own, stranger, stranger);
  expect(take(own)).toBe(`!refused it lies in the hands of uid ${stranger}\n`);
  const dir = scratch();
  writeFileSync(join(dir, 'a.conf'), 'x');
  chownSync(dir, stranger, stranger);
  expect(take(join(dir, 'a.conf'))).toBe(`!refused it lies in the hands of uid ${stranger}\n`);
});

test('links to links lead to the file, and links without an end to nothing', () => {
  const dir = scratch();
  const real = join(dir, 'real');
  mkdirSync(real);
  writeFileSync(join(real, 'a.conf'), 'text\n');
  symlinkSync('real', join(dir, 'one'));
  symlinkSync('./one/../one', join(dir, 'two'));
  symlinkSync('../two//a.conf', join(real, 'link.conf'));
  expect(take(join(dir, 'two', 'link.conf'))).toMatch(/\ntext\n$/);
  symlinkSync('loop.conf', join(dir, 'loop.conf'));
  expect(take(join(dir, 'loop.conf'))).toMatch(/^!refused/);
});

test.runIf(root)('a stranger anywhere in a chain of links decides where it leads', () => {
  const [dir, his, end] = [scratch(), scratch(), scratch()];
  writeFileSync(join(end, 'a.conf'), 'text\n');
  // In the middle: the name and what is opened both lie in directories of root.
  symlinkSync(end, join(his, 'there'));
  symlinkSync(join(his, 'there'), join(dir, 'dir'));
  symlinkSync(join(his, 'there', 'a.conf'), join(dir, 'a.conf'));
  for (const name of ['dir/a.conf', 'a.conf']) expect(take(join(dir, name))).toMatch(/\ntext\n$/);
  chownSync(his, stranger, stranger);
  for (const name of ['dir/a.conf', 'a.conf'])
    expect(take(join(dir, name))).toBe(`!refused it lies in the hands of uid ${stranger}\n`);
  // For the service's own user it is read as far as he could read it himself.
  expect(take(join(dir, 'a.conf'), `${stranger}`)).toMatch(/^!refused who put it there could not reach it/);
  for (const open of [dir, end]) chmodSync(open, 0o755);
  expect(take(join(dir, 'a.conf'), `${stranger}`)).toMatch(/\ntext\n$/);
  // A link of his in a directory where everybody has names, and a directory that his group may write.
  const shared = scratch();
  chmodSync(shared, 0o1777);
  symlinkSync(join(end, 'a.conf'), join(shared, 'a.conf'));
  expect(take(join(shared, 'a.conf'))).toMatch(/\ntext\n$/);
  lchownSync(join(shared, 'a.conf'), stranger, stranger);
  expect(take(join(shared, 'a.conf'))).toBe(`!refused it lies in the hands of uid ${stranger}\n`);
  chownSync(end, 0, stranger);
  chmodSync(end, 0o775);
  expect(take(join(end, 'a.conf'))).toBe(`!refused the group ${stranger} may write a directory on its way\n`);
});

test.runIf(root)('for the service user only what he could read himself, wherever he leads', () => {
  const dir = scratch();
  const secret = join(scratch(), 'secret.txt');
  writeFileSync(secret, 'root only\n', { mode: 0o600 });
  symlinkSync(secret, join(dir, 'error.log'));
  writeFileSync(join(dir, 'own.log'), 'his\n', { mode: 0o600 });
  chownSync(join(dir, 'own.log'), stranger, stranger);
  chmodSync(dir, 0o755);
  chownSync(dir, stranger, stranger);
  expect(take(join(dir, 'error.log'), `${stranger}`)).toMatch(/^!refused who put it there/);
  expect(take(join(dir, 'own.log'), `${stranger}`)).toMatch(/\nhis\n$/);
  expect(take(secret, `${stranger}`, '', 'all', '0', 'by')).toMatch(/^!refused who put it there/);
  expect(take(secret, '')).toMatch(/\nroot only\n$/);
});

test('of a file with certificates nothing else comes, of a log only its end', () => {
  const pem = file('chain.pem', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\nkey material\n');
  expect(take(pem, '', '', 'certs')).not.toContain('key material');
  expect(take(file('error.log', 'a'.repeat(100)), '', '', 'tail', '10')).toMatch(/\na{10}$/);
});

test('of a log that was seen before only what was written since; of another file of that name all of it', () => {
  const log = file('error.log', 'first\n');
  const [, inode = '', size = ''] = /^\+[\d.]+ \d+ (\d+) (\d+)\n/.exec(take(log, '', '', 'tail', '100')) ?? [];
  expect(size).toBe('6');
  const since = () => take(log, '', '', 'tail', `100 ${inode} ${size}`).split('\n').slice(1).join('\n');
  expect(since()).toBe('');
  appendFileSync(log, 'second\n');
  expect(since()).toBe('second\n');
  expect(take(log, '', '', 'tail', `3 ${inode} ${size}`)).toMatch(/\nnd\n$/);
  expect(take(log, '', '', 'tail', `100 ${Number(inode) + 1} ${size}`)).toMatch(/\nfirst\nsecond\n$/);
  writeFileSync(log, 'cut\n');
  expect(since()).toBe('cut\n');
});
