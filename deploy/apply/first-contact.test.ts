// The shell lines of a first contact, run by a real sh on this machine.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { bootstrapScript, contactScript } from './first-contact.ts';

const WORD = 'vw0123456789';
const hasHelper = spawnSync('test', ['-x', '/usr/local/lib/viworks/host']).status === 0;

test.each(['/bin/sh', '/bin/bash'])('%s takes both scripts', (shell) => {
  for (const script of [contactScript(WORD), bootstrapScript(WORD)]) {
    const checked = spawnSync(shell, ['-n', '-c', script], { encoding: 'utf8' });
    expect(checked.stderr).toBe('');
    expect(checked.status).toBe(0);
  }
});

test.skipIf(hasHelper)('a bare host says what it is, then runs what it is given', () => {
  const given = 'echo "second: $(cat)"';
  const ran = spawnSync('/bin/sh', ['-c', contactScript(WORD)], {
    input: `${given.length}\n${given}the rest`,
    encoding: 'utf8',
  });
  const line = ran.stdout.split('\n').find((text) => text.startsWith(`${WORD} `)) ?? '';
  const said = JSON.parse(line.slice(WORD.length + 1));
  expect(said).toMatchObject({
    type: 'bare',
    facts: { arch: expect.stringMatching(/^(x86_64|aarch64)$/), os: expect.any(String) },
  });
  expect(Number(said.facts.freeKb)).toBeGreaterThan(0);
  if (process.getuid?.() === 0) expect(ran.stdout).toContain('second: the rest');
});
