import { expect, test } from 'vitest';
import { createTrust, remoteAddress } from './proxies.ts';

const trust = createTrust(['127.0.0.1', '::1', '203.0.113.0/24']);

test.each<[string, string | undefined, string | undefined, string]>([
  ['no proxy', '192.0.2.1', undefined, '192.0.2.1'],
  ['a stranger’s header is not believed', '192.0.2.1', '198.51.100.7', '192.0.2.1'],
  ['the proxy’s header is', '127.0.0.1', '198.51.100.7', '198.51.100.7'],
  ['mapped addresses are plain ones', '::ffff:127.0.0.1', '198.51.100.7', '198.51.100.7'],
  ['only as far as trusted hops wrote it', '127.0.0.1', '192.0.2.99, 198.51.100.7, 203.0.113.1', '198.51.100.7'],
  ['nonsense stops at the proxy', '127.0.0.1', 'unknown', '127.0.0.1'],
  ['an empty header', '127.0.0.1', '', '127.0.0.1'],
  ['all hops trusted', '127.0.0.1', '203.0.113.2', '203.0.113.2'],
  ['IPv6', '::1', '2001:db8::1', '2001:db8::1'],
])('%s', (_name, peer, forwarded, expected) => {
  expect(remoteAddress(peer, forwarded, trust)).toBe(expected);
});
