// The installed units: no connect is refused over a restart, the sandbox is tight, and a hung event loop does not stay unnoticed.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deployCommand, forgetHome } from './deploy-command.ts';
import { type Lab, labObstacle, openLab } from './lab/index.ts';

const obstacle = await labObstacle();
const group = obstacle === undefined ? 'the installed units' : `the installed units (skipped: ${obstacle})`;
const NODE = '/opt/viworks/current/runtime/node';
const program = (name: string): string => readFileSync(new URL(`../programs/${name}`, import.meta.url), 'utf8');
const UNITS = ['viworks-backend-agent.service', 'viworks-gateway-agent.service', 'viworks-launcher.service'] as const;
const hostOf = (unit: (typeof UNITS)[number]) => (unit === 'viworks-backend-agent.service' ? 'be1' : 'gw1');

let lab: Lab;

async function on(host: 'be1' | 'gw1', script: string, input?: string): Promise<string> {
  const result = await lab.run(host, script, input);
  expect(result.code, `${script}\n${result.stdout}\n${result.stderr}`).toBe(0);
  return result.stdout.trim();
}

beforeAll(async () => {
  if (obstacle !== undefined) return;
  lab = await openLab({ name: 'e2e-units' });
  await deployCommand(['apply', '-i', lab.inventoryPath, '--yes']);
});
afterAll(async () => {
  await lab?.close();
  forgetHome();
});

describe.skipIf(obstacle !== undefined)(group, () => {
  test('restarting the backend under 50 connects a second refuses none and delays none by 2 s', async () => {
    for (const port of [8080, 8081]) {
      const knocking = on('be1', `${NODE} --input-type=module - ${port} /health 50 10`, program('knock.mjs'));
      for (let restart = 0; restart < 2; restart++) {
        await new Promise((resolve) => setTimeout(resolve, 2500));
        await on('be1', 'systemctl restart viworks-backend-agent.service');
      }
      const tally = JSON.parse(await knocking);
      expect(tally, `port ${port}`).toMatchObject({ sent: 500, answered: 500, refused: 0, failed: [] });
      expect(tally.longestMs, `port ${port}`).toBeLessThan(2000);
    }
  });

  test('the units that talk to the network score at most 2.0, and only their main process may notify', async () => {
    for (const unit of UNITS) {
      const text = await on(hostOf(unit), `systemd-analyze security --no-pager ${unit} | tail -n 1`);
      const score = Number(/: (\d+\.\d) /.exec(text)?.[1]);
      if (unit !== 'viworks-launcher.service') expect(score, text).toBeLessThanOrEqual(2.0);
      expect(await on(hostOf(unit), `systemctl show -P NotifyAccess ${unit}`)).toBe('main');
      expect(await on(hostOf(unit), `systemctl is-active ${unit}`)).toBe('active');
    }
  });

  test.each(['be1', 'gw1'] as const)(
    'a blocked event loop on %s ends in Result=watchdog, and the unit comes back',
    async (host) => {
      const unit = host === 'be1' ? UNITS[0] : UNITS[1];
      const before = await on(host, `systemctl show -P MainPID ${unit}`);
      await on(host, `${NODE} --input-type=module - ${before}`, program('block-loop.mjs'));
      const waiting = `for i in $(seq 900); do journalctl -u ${unit} -o cat | grep -q "Failed with result 'watchdog'" && exit 0; sleep 0.1; done; exit 1`;
      await on(host, waiting);
      await on(
        host,
        `for i in $(seq 300); do [ "$(systemctl is-active ${unit})" = active ] && exit 0; sleep 0.1; done; exit 1`,
      );
      expect(await on(host, `systemctl show -P MainPID ${unit}`)).not.toBe(before);
    },
  );
});
