// Nothing of an nginx configuration is kept that the diagnosis does not read, and what it reads is the same.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '../../test/support/doctor/index.ts';
import type { NginxFiles } from '../engine/index.ts';
import { parseNginx } from '../nginx/parse.ts';
import { keepNginx, keepNginxFiles } from './nginx-keep.ts';

const secret = 'S3cr3t-c4nary';

test.each([
  `fastcgi_param DB ${secret};`,
  `env X=${secret};`,
  `content_by_lua_block { local a = "${secret}" if a then b() end }`,
  `location / { js_content ${secret}; secure_link_md5 "$uri ${secret}"; }`,
  `map $http_x_api_key $who { "${secret}" one; default none; }`,
  `server { ldap_server a { binddn_passwd ${secret}; } }`,
  `stream { server { listen 1; proxy_pass "${secret}"; } }`,
  `add_header X "a\n${secret}";`,
  `sub_filter "never closed ${secret}\n more ${secret}`,
  `postgres_server 127.0.0.1 password=${secret}; # and the rest`,
])('%s is not kept', (text) => {
  expect(keepNginx(text)).not.toContain(secret);
  expect(keepNginx(text).split('\n')).toHaveLength(text.split('\n').length);
});

test('a table without its rows decides nothing', () => {
  expect(keepNginx('map $cookie_a $b {\n "x" 1;\n}\nserver { listen 443; }')).toBe(
    'map $cookie_a $b { hostnames; \n\n}\nserver { listen 443; }',
  );
});

test('every configuration of the cases reads as before', () => {
  const seen = new Set<string>();
  for (const item of cases)
    for (const fact of item.world().facts()) {
      if (fact.key !== 'nginx.files' || fact.reading.status !== 'known') continue;
      const { value } = fact.reading;
      const reduced: NginxFiles = {
        ...value,
        files: value.files.map((file) => ({ ...file, text: keepNginx(file.text) })),
      };
      expect(parseNginx(reduced), item.name).toEqual(parseNginx(value));
      seen.add(value.files.map((file) => file.text).join('\n'));
    }
  expect(seen.size).toBeGreaterThan(20);
});

test('files keep their heads, unread ones stay unread', () => {
  const text =
    '\n--ab 1.5 /etc/nginx/nginx.conf\nenv A=b;\n\n--ab - /etc/nginx/x.conf\n!unreadable it is not a regular file\n';
  expect(keepNginxFiles(text, 'ab')).toBe(text.replace('A=b', '[kept-out]'));
});

test('any text: lines stay, no quote makes it slow or throw', () => {
  const pieces = fc.constantFrom('server', '{', '}', ';', '"', "'", '\\', '\n', ' ', '#', '$', 'env', 'map');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 80 }), (parts) => {
      const text = parts.join('');
      expect(keepNginx(text).split('\n')).toHaveLength(text.split('\n').length);
    }),
  );
});
