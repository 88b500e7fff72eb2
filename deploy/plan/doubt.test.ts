// A file edited by hand, or a held deploy: what runs may not be what its fingerprint says.
import { expect, test } from 'vitest';
import { unitsInDoubt } from './doubt.ts';
import type { Drift, HostState, ReleaseUnit } from './manifest.ts';

const unit = (name: string): ReleaseUnit => ({ name, part: 'gateway', kind: 'service', fingerprint: 'f' });
const units = [unit('viworks-launcher.service'), unit('viworks-gateway-agent.service')];
const etc = '/opt/viworks/releases/20261120T171502Z-aaaaaaaaaaaa/etc';

test.each<[string, HostState['phase'], readonly Drift[], readonly string[]]>([
  ['nothing', 'committed', [], []],
  [
    'an edited configuration',
    'committed',
    [{ path: `${etc}/gateway.toml`, what: 'edited' }],
    ['viworks-gateway-agent.service'],
  ],
  ['another trust', 'committed', [{ path: `${etc}/trust.pem`, what: 'replaced' }], ['viworks-gateway-agent.service']],
  [
    'an edited unit',
    'committed',
    [{ path: '/etc/systemd/system/viworks-launcher.service', what: 'edited' }],
    ['viworks-launcher.service'],
  ],
  ['a file that is gone was read before', 'committed', [{ path: `${etc}/gateway.toml`, what: 'missing' }], []],
  ['what only nginx reads', 'committed', [{ path: '/etc/nginx/conf.d/viworks.conf', what: 'edited' }], []],
  ['a held deploy', 'hold', [], ['viworks-launcher.service', 'viworks-gateway-agent.service']],
])('%s', (_name, phase, drift, names) => {
  expect(unitsInDoubt(units, { phase, drift })).toEqual(names);
});
