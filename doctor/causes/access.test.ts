// How a login can end is one list for the transport and the doctor, and every end has the cause that says why a host was not seen.
import { expect, expectTypeOf, test } from 'vitest';
import type { LoginEnd } from '../../deploy/remote/ends.ts';
import { healthy } from '../../test/support/doctor/healthy.ts';
import * as w from '../../test/support/doctor/world.ts';
import type { HostAccess } from '../engine/index.ts';

type Outcome = HostAccess['outcome'];

// An end without a row here does not compile.
const causeOf: Readonly<Record<Exclude<Outcome, 'ok'>, string>> = {
  'name-unresolved': 'SSH-19',
  refused: 'SSH-09',
  timeout: 'SSH-09',
  unreachable: 'SSH-09',
  'cut-off': 'SSH-17',
  'protocol-error': 'SSH-18',
  'host-key-unknown': 'SSH-20',
  'host-key-changed': 'SSH-02',
  'host-key-other-type': 'SSH-20',
  'key-not-offered': 'SSH-08',
  'auth-denied': 'SSH-01',
  'more-wanted': 'SSH-15',
  'too-many-keys': 'SSH-04',
  'account-closed': 'SSH-16',
  'not-tried': 'SSH-21',
  'no-shell': 'SSH-14',
  cut: 'SSH-13',
};

test('the doctor knows every end of a login, and no other but those after it', () => {
  expectTypeOf<Outcome>().toEqualTypeOf<LoginEnd | 'ok' | 'no-shell' | 'cut'>();
});

test.each(Object.entries(causeOf) as [Outcome, string][])('a login that ends with %s is %s', (outcome, code) => {
  for (const seat of ['be', w.gw] as const) {
    const world = healthy();
    const access = world.store().get('host.access', 'op', seat);
    expect(access.status).toBe('known');
    if (access.status === 'known') world.put('host.access', 'op', seat, { ...access.value, outcome, message: '' });
    expect(world.report().sight.map((cause) => cause.code)).toEqual([code]);
  }
});
