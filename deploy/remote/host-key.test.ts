// Host key verdicts, from tables: pins, known_hosts in all its spellings, and failing closed.
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { algorithmsFor, describeKey, judgeKey, knownFor, parseKnownHosts } from './host-key.ts';

function blobOf(): Buffer {
  const raw = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const part = (bytes: Buffer): Buffer => {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(bytes.length);
    return Buffer.concat([size, bytes]);
  };
  return Buffer.concat([part(Buffer.from('ssh-ed25519')), part(raw)]);
}

const good = blobOf();
const other = blobOf();
const line = (hosts: string, blob: Buffer): string => `${hosts} ssh-ed25519 ${blob.toString('base64')} comment`;
const hashed = (name: string): string => {
  const salt = Buffer.from('0123456789abcdefghij');
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
};
const knownOf = (text: string, address = '192.0.2.10', port = 22) =>
  knownFor(parseKnownHosts(text, 'known_hosts'), address, port);

test('a fingerprint reads like the one of ssh-keygen', () => {
  const shown = describeKey(good);
  expect(shown.type).toBe('ssh-ed25519');
  expect(shown.fingerprint).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
  expect(describeKey(Buffer.from('x')).type).toBe('unreadable');
});

test.each([
  ['pin matches', [describeKey(good).fingerprint], '', 'trusted'],
  ['one of two pins matches', ['SHA256:x', `${describeKey(good).fingerprint}=`], '', 'trusted'],
  ['pin differs though known_hosts agrees', [describeKey(other).fingerprint], line('192.0.2.10', good), 'changed'],
  ['nothing known', [], '', 'unknown'],
  ['plain name', [], line('192.0.2.10', good), 'trusted'],
  ['one name of a list', [], line('be1,192.0.2.10', good), 'trusted'],
  ['hashed name', [], line(hashed('192.0.2.10'), good), 'trusted'],
  ['wildcard', [], line('192.0.2.*', good), 'trusted'],
  ['wildcard with an exception', [], line('192.0.2.*,!192.0.2.10', good), 'unknown'],
  ['another key of that host', [], line('192.0.2.10', other), 'changed'],
  ['two keys, one of them right', [], `${line('192.0.2.10', other)}\n${line('192.0.2.10', good)}`, 'trusted'],
  ['revoked', [], `@revoked ${line('192.0.2.10', good)}\n${line('192.0.2.10', good)}`, 'changed'],
  ['a certificate authority is not a key', [], `@cert-authority ${line('192.0.2.10', good)}`, 'unknown'],
  ['a comment', [], `# ${line('192.0.2.10', good)}`, 'unknown'],
  ['another port', [], line('[192.0.2.10]:2222', good), 'unknown'],
])('%s', (_name, pins, text, kind) => {
  expect(judgeKey(good, pins, knownOf(text)).kind).toBe(kind);
});

test('a port other than 22 is written in brackets, also when hashed', () => {
  expect(judgeKey(good, [], knownOf(line('[192.0.2.10]:2222', good), '192.0.2.10', 2222)).kind).toBe('trusted');
  expect(judgeKey(good, [], knownOf(line(hashed('[192.0.2.10]:2222'), good), '192.0.2.10', 2222)).kind).toBe('trusted');
  expect(judgeKey(good, [], knownOf(line('192.0.2.10', good), '192.0.2.10', 2222)).kind).toBe('unknown');
});

test('a changed key names what was expected and where that stands', () => {
  const verdict = judgeKey(good, [], knownOf(`# first\n${line('192.0.2.10', other)}`));
  expect(verdict).toEqual({ kind: 'changed', expected: describeKey(other).fingerprint, source: 'known_hosts:2' });
});

test('a known key of another type is no change', () => {
  const verdict = judgeKey(good, [], knownOf('192.0.2.10 ssh-rsa AAAA'));
  expect(verdict).toEqual({ kind: 'other-type', expected: 'ssh-rsa', source: 'known_hosts:1' });
});

test('known key types are asked for first, and every other type after them', () => {
  const rsa = ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'];
  const ecdsa = ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'];
  expect(algorithmsFor(parseKnownHosts('h ssh-rsa AAAA', 'f'))).toEqual([...rsa, 'ssh-ed25519', ...ecdsa]);
  expect(algorithmsFor([], ['ssh-ed25519'])).toEqual([...ecdsa, ...rsa]);
});
