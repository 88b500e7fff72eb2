// Harmless facts change no diagnosis: laid under every case of the catalogue they neither add a cause nor take one away.
import { expect, test } from 'vitest';
import { healthy, healthyDocker, healthyOther } from '../../test/support/doctor/healthy.ts';
import { cases } from '../../test/support/doctor/index.ts';
import { noises } from '../../test/support/doctor/noise.ts';

const codesOf = (list: readonly { readonly code: string }[]) => list.map((cause) => cause.code);

test.each(Object.entries(noises))('%s: what is healthy stays healthy', (_name, noise) => {
  for (const make of [healthy, healthyDocker, healthyOther]) {
    const report = (noise(make()) ?? make()).report();
    expect([codesOf(report.causes), codesOf(report.latent), report.exitCode]).toEqual([[], [], 0]);
  }
});

test.each(Object.entries(noises))('%s: no cause is added, none is taken away', (_name, noise) => {
  const changed = cases.flatMap((item) => {
    const world = noise(item.world());
    const found = world ? codesOf(world.report().causes) : item.causes;
    return found.join() === item.causes.join() ? [] : [{ case: item.name, found, wanted: item.causes }];
  });
  expect(changed).toEqual([]);
});

test('every noise has a place in some case, or in what is healthy', () => {
  const silent = Object.entries(noises).filter(([, noise]) =>
    [healthy, ...cases.map((item) => item.world)].every((make) => noise(make()) === null),
  );
  expect(silent.map(([name]) => name)).toEqual([]);
});
