// Where things lie, and which options make sense together.
import { expect, test } from 'vitest';
import { placesOf } from './places.ts';

test('the state directory follows the environment', () => {
  expect(placesOf({}, { HOME: '/home/a' }).home).toBe('/home/a/.local/state/viworks/up');
  expect(placesOf({}, { HOME: '/home/a', XDG_STATE_HOME: '/s' }).home).toBe('/s/viworks/up');
});

test('ports have defaults and can be moved', () => {
  expect(placesOf({}, { HOME: '/h' }).ports).toEqual({ api: 8080, agents: 8081, tls: 9443, local: 8443 });
  expect(placesOf({ apiPort: '18080' }, { HOME: '/h' }).ports.api).toBe(18_080);
});

test('a socket path that the kernel would not take goes elsewhere, one per state directory', () => {
  const long = (name: string) =>
    placesOf({}, { HOME: `/${'x'.repeat(120)}${name}`, XDG_RUNTIME_DIR: '/run/user/7' }).socket;
  expect(placesOf({}, { HOME: '/h' }).socket).toBe('/h/.local/state/viworks/up/launcher.sock');
  expect(long('a')).toMatch(/^\/run\/user\/7\/viworks-up-\w+\.sock$/);
  expect(long('a')).not.toBe(long('b'));
});

test.each([
  [{ apiPort: '0' }, /--api-port/],
  [{ tlsPort: 'x' }, /--tls-port/],
  [{ agentsPort: '70000' }, /--agents-port/],
  [{ apiPort: '9443' }, /9443 is also the port of the HTTP API/],
  [{ gatewayId: '../x' }, /--gateway-id/],
])('%j is a usage error', (options, message) => {
  expect(() => placesOf(options, { HOME: '/h' })).toThrow(message);
});
