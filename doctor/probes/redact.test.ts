// Secrets go, everything that a diagnosis needs stays, and lines keep their numbers.
import { expect, test } from 'vitest';
import { redactText } from './redact.ts';

const canary = 'S3cr3t-c4nary-0123456789';

const secrets: readonly (readonly [string, string])[] = [
  ['toml', `launcher_token = "${canary}"`],
  ['toml in a table', `[api]\npassword = '${canary}'`],
  ['environment', `DB_PASSWORD=${canary}`],
  ['environment in a unit', `Environment=API_KEY=${canary}`],
  ['json', `{"level":"info","token":"${canary}","port":8081}`],
  ['header in a log', `Authorization: Bearer ${canary}`],
  ['header in JSON', `{"authorization":"Bearer ${canary}"}`],
  ['cookie', `Cookie: session=${canary}; theme=dark`],
  ['bearer in prose', `refused bearer ${canary}`],
  ['userinfo', `postgres://viworks:${canary}@db.example.test/viworks`],
  ['command line', `/usr/bin/agent --token ${canary} --port 8081`],
  ['command line with =', `/usr/bin/agent --password=${canary}`],
  ['query', `GET /ws/agent?token=${canary}&x=1 HTTP/1.1`],
  ['private key', `-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----`],
  ['EC private key', `-----BEGIN EC PRIVATE KEY-----\n${canary}\n-----END EC PRIVATE KEY-----`],
];

test.each(secrets)('%s', (_, text) => {
  const redacted = redactText(text);
  expect(redacted).not.toContain(canary);
  expect(redacted.split('\n')).toHaveLength(text.split('\n').length);
});

const harmless: readonly string[] = [
  'url = "wss://agents.example.test/ws/agent"',
  'enrolment_token_file = "/etc/viworks/credstore/enrolment-token"',
  'proxy_set_header Connection $connection_upgrade;',
  'ssl_certificate_key /etc/nginx/tls/server.key;',
  'LISTEN 0 511 127.0.0.1:8081 0.0.0.0:* users:(("node",pid=201,fd=22))',
  'backend_url = "${BACKEND_URL}"',
  'large_client_header_buffers 4 8k;',
  'max_tokens = 100',
  '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
  '{"level":"error","message":"Outbound agent failed: configuration error: missing field `backend_url`"}',
];

test.each(harmless)('stays: %s', (text) => {
  expect(redactText(text)).toBe(text);
});
