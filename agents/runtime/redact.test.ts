// Secrets go, everything that a diagnosis needs stays, lines keep their numbers, and no input makes it slow.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CANARY, secretShapes, traces } from '../../test/support/secrets.ts';
import { redactText } from './redact.ts';

describe('secrets go', () => {
  test.each(secretShapes())('%s', (_, text) => {
    const redacted = redactText(text);
    for (const trace of traces()) expect(redacted).not.toContain(trace);
    expect(redacted.split('\n')).toHaveLength(text.split('\n').length);
    expect(redactText(redacted)).toBe(redacted);
  });

  test.each(['# ', '2026/11/20 16:19:38 [error] 213#213: *1 ', '1763654607.123456 be1 viworks[201]: '])(
    'behind %s',
    (prefix) => {
      const text = secretShapes().map(([, shape]) => shape.replace(/^/gm, prefix));
      for (const shape of text) for (const trace of traces()) expect(redactText(shape)).not.toContain(trace);
      for (const trace of traces()) expect(redactText(text.join('\n'))).not.toContain(trace);
    },
  );

  test('whatever stands around them, in one text', () => {
    const around = fc.string({ maxLength: 40, unit: 'grapheme-ascii' }).filter((text) => !/[\\'"`]/.test(text));
    fc.assert(
      fc.property(around, fc.shuffledSubarray([...secretShapes()]), (noise, shapes) => {
        const text = shapes.map(([, shape]) => `${shape}\n${noise}`).join('\n');
        expect(redactText(text)).not.toContain(CANARY);
      }),
    );
  });

  test.each(['password=@', '"token":"@"', 'https://u:@@h/', 'Authorization: Bearer @', '--secret @ x'])(
    'any value in %s',
    (shape) => {
      const value = fc.stringMatching(/^[A-Za-z][\w!#%^+/.~-]{10,30}[A-Z]\d[a-z]{4}$/);
      fc.assert(fc.property(value, (secret) => !redactText(shape.replace('@', () => secret)).includes(secret)));
    },
  );
});

const harmless: readonly string[] = [
  'url = "wss://agents.example.test/ws/agent"',
  'enrolment_token_file = "/etc/viworks/credstore/enrolment-token"',
  'LoadCredential=enrolment-token:/etc/viworks/credstore/enrolment-token',
  'proxy_set_header Connection $connection_upgrade;',
  'proxy_set_header Host $host;',
  'proxy_pass http://127.0.0.1:8081/;',
  'ssl_certificate_key /etc/nginx/tls/server.key;',
  'auth_basic "viworks";',
  'server_tokens off;',
  'LISTEN 0 511 127.0.0.1:8081 0.0.0.0:* users:(("node",pid=201,fd=22))',
  'backend_url = "${BACKEND_URL}"',
  'large_client_header_buffers 4 8k;',
  'max_tokens = 100',
  '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
  '{"level":"error","message":"Outbound agent failed: configuration error: missing field `backend_url`"}',
  'SHA256:q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80',
  'sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  '0::/system.slice/docker-d23f1f4dca7bd3cfbc531a695fc5839991b4faee8af7b1f6bf881cee8171537a.scope',
  'host key: SHA256:q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80',
  'ssh -p 22 root@192.0.2.10',
  'https://example.test:8080/path/@scope/package',
  'no user/password was provided for basic authentication',
  'Basic authentication is required',
  'session refused: token: expired',
  'the doctor has no token: sudo viworks backend token create --role probe --name doctor',
  'VW_BACKEND_TOKEN_REFUSED: the token was refused',
  'viworks doctor --token-file /etc/viworks/token',
  'inet6 fe80::1/64 scope link',
  '192.0.2.10 agents.example.test agents',
  'journalctl -u viworks-gateway-agent.service -n 120',
];

test.each(harmless)('stays: %s', (text) => {
  expect(redactText(text)).toBe(text);
});

test('any text keeps its lines, and a second time changes nothing', () => {
  const pieces = fc.constantFrom(
    'token',
    '=',
    ':',
    ' ',
    '"',
    "'",
    '\n',
    '://',
    '@',
    '\\',
    '-----BEGIN PRIVATE KEY-----',
    'eyJ',
    '|',
    'a',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join('')),
      ),
      (text) => {
        expect(redactText(text).split('\n')).toHaveLength(text.split('\n').length);
      },
    ),
  );
});

/** CPU time of one run over so many characters, in µs; the least of several where it matters, since the machine has other work as well. */
const cost = (text: string): number => {
  const began = process.cpuUsage();
  redactText(text);
  const { user, system } = process.cpuUsage(began);
  return user + system;
};

/** 16 times the text is about 16 times the work, and not 256 times; short runs are too short to be measured, and count as 2 ms. */
function grows(make: (size: number) => string): void {
  const [short, long] = [make(32 * 1024), make(512 * 1024)];
  let [least, most] = [2_000, Number.POSITIVE_INFINITY];
  for (let attempt = 0; attempt < 8 && most > 64 * least; attempt += 1) {
    least = Math.max(least, cost(short));
    most = Math.min(most, cost(long));
  }
  expect(most).toBeLessThanOrEqual(64 * least);
}

const repeated =
  (unit: string, head = '', tail = '') =>
  (size: number): string =>
    `${head}${unit.repeat(size / unit.length)}${tail}`;

// What once made it slow, or could.
test.each([
  'a.',
  'token',
  'token=',
  'token="',
  '"authorization: ',
  'a://b:c@',
  '://',
  'eyJ-',
  'eyJ.',
  "'token'='",
  'basic ',
  '$y$',
  '-----BEGIN PRIVATE KEY-----',
  '"',
  '\\://',
  'curl ://',
  'token: |://',
  'token="""\n',
  `token=/etc/${'a'.repeat(510)}`,
])('the work grows with the text: %s', (unit) => {
  grows(repeated(unit));
});

test.each([';', '}', '\\', '"', '/', '.', 'a', ' ', '=', '-', '@', ':', '\n'])(
  'the work grows with the text: a value of %j that goes on',
  (unit) => {
    grows(repeated(unit, 'token=a', 'x'));
    grows(repeated(unit, 'https://a', 'x'));
    grows(repeated(unit, '"token": "', 'x'));
  },
);

test('the work grows with the text, whatever is repeated in it', () => {
  const pieces = [
    ...'"\'`\\=: \t/@.-_${}[]()<>|;,%&?!~#*aA1\n\r',
    ...['token', 'password', 'key', 'pass', 'auth', 'cookie', 'authorization', 'bearer ', '://', 'eyJ', 'vw_', '$y$'],
    ...['PRIVATE KEY', '-----BEGIN PRIVATE KEY-----', 'Private-Lines: 9', 'curl', ' -u', ' -p', 'mysql', '"""', ': |'],
  ];
  const unit = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(unit, (text) => grows(repeated(text))),
    { numRuns: 60 },
  );
});
