import { expect, test } from 'vitest';
import * as z from 'zod';
import { CLOSE, closeByCode } from './errors.ts';
import { commandRequest } from './http.ts';
import { helloPayload } from './session.ts';
import { BUILT_IN_VERBS, schemaHash } from './verbs.ts';

test('the hash of a schema depends on what it accepts, not on the order of its keys', () => {
  const a = z.strictObject({ x: z.int(), y: z.string() });
  const b = z.strictObject({ y: z.string(), x: z.int() });
  expect(schemaHash(a)).toBe(schemaHash(b));
  expect(schemaHash(a)).not.toBe(schemaHash(z.strictObject({ x: z.int(), y: z.string().max(3) })));
});

test('built-in verbs have hashes that differ', () => {
  const hashes = Object.values(BUILT_IN_VERBS).map((verb) => schemaHash(verb.args));
  expect(new Set(hashes).size).toBe(hashes.length);
  for (const hash of hashes) expect(hash).toMatch(/^[0-9a-f]{16}$/);
});

test.each([
  ['exec', { argv: ['a', ''] }, true],
  ['exec', { argv: [] }, false],
  ['exec', { argv: ['a'], shell: true }, false],
  ['shell', { script: 'true' }, true],
  ['shell', { script: '' }, false],
  ['canary', {}, true],
  ['canary', { bytes: 2 ** 21 }, false],
  ['get_service_status', { services: ['nginx.service', 'a@b.service'] }, true],
  ['get_service_status', { services: ['--help; rm'] }, false],
] as const)('%s %j: %s', (verb, args, fine) => {
  expect(BUILT_IN_VERBS[verb].args.safeParse(args).success).toBe(fine);
});

test('close codes are unique and split as the ranges say', () => {
  const rows = Object.entries(CLOSE);
  expect(new Set(rows.map(([, spec]) => spec.code)).size).toBe(rows.length);
  for (const [name, spec] of rows) expect(closeByCode(spec.code)?.name).toBe(name);
  for (const [, spec] of rows.filter(([, { code }]) => code < 4100)) expect(spec.comeBack).toBe('back-off');
  expect(closeByCode(1006)).toBeUndefined();
});

test('the signed text of HELLO is fixed for ever', () => {
  expect(
    helloPayload({ protocol: 1, gatewayId: 'gw', serverNonce: 's', nonce: 'n', spkiSeen: '', incarnation: 3 }),
  ).toBe('viworks-hello\n1\ngw\ns\nn\n\n3');
});

test('a command request is strict and fills its defaults', () => {
  const parsed = commandRequest.parse({ verb: 'exec', gateways: ['gw'], args: { argv: ['true'] } });
  expect(parsed).toMatchObject({ env: {}, timeoutMs: 0, graceMs: 10_000, ttlMs: 60_000 });
  for (const wrong of [
    { typo: 1 },
    { gateways: [] },
    { timeoutMs: -1 },
    { timeoutMs: 2 ** 53 },
    { env: { 'A=B': 'x' } },
    { stdin: 'not base64!' },
  ]) {
    expect(commandRequest.safeParse({ verb: 'exec', gateways: ['gw'], ...wrong }).success, JSON.stringify(wrong)).toBe(
      false,
    );
  }
});
