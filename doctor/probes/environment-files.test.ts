// What of EnvironmentFile= is read, and what is said of the rest.
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ENVIRONMENT } from './environment-files.ts';
import { PROOF } from './proof.ts';

const root = process.getuid?.() === 0;
const stranger = 54_321;

function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), 'viworks-env-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** What the section prints for one name, for a service of a user. */
function environment(name: string, user = ''): string {
  const script = `T='timeout 2'; LC_ALL=C; export LC_ALL\n${PROOF}\n${ENVIRONMENT}\nw=${user}; environment '${name}'`;
  return execFileSync('/bin/sh', ['-s'], { input: script }).toString();
}

test('only what steers a runtime comes out, with its line', () => {
  const file = join(scratch(), '.env');
  writeFileSync(file, 'TOKEN=hidden\nexport NODE_OPTIONS=--bad\n# NODE_PATH=/x\nA=b\n', { mode: 0o600 });
  expect(environment(file)).toBe(`--env ${file}\n2:export NODE_OPTIONS=--bad\n`);
});

test('a pattern is every file that it matches, and is gone only where there is none', () => {
  const dir = scratch();
  const pattern = join(dir, '*.env');
  expect(environment(pattern)).toBe(`--gone ${pattern}\n`);
  writeFileSync(join(dir, 'a.env'), 'PATH=/a\n');
  writeFileSync(join(dir, 'b c.env'), 'HOME=/b\n');
  const [a, b] = [join(dir, 'a.env'), join(dir, 'b c.env')];
  expect(environment(pattern)).toBe(
    `--matched ${pattern}\n--env ${a}\n1:PATH=/a\n--matched ${pattern}\n--env ${b}\n1:HOME=/b\n`,
  );
});

test('a name cannot make lines of ours', () => {
  const dir = scratch();
  writeFileSync(join(dir, 'a\n--unit x.env'), 'PATH=/a\n');
  const said = environment(join(dir, '*.env'));
  expect(said).not.toMatch(/^--unit|^--env/m);
  expect(said).toMatch(/^--unreadable .*\na name that it matches is not plain text$/m);
});

test.runIf(root)('a link by way of a stranger is not followed as root, and it says why', () => {
  const [dir, his, other] = [scratch(), scratch(), scratch()];
  writeFileSync(join(other, 'app.env'), 'PATH=/secret\n');
  symlinkSync(join(other, 'app.env'), join(his, 'app.env'));
  chownSync(his, stranger, stranger);
  symlinkSync(join(his, 'app.env'), join(dir, 'app.env'));
  const file = join(dir, 'app.env');
  expect(environment(file)).toBe(`--unreadable ${file}\nit lies in the hands of uid ${stranger}\n`);
  const sub = join(dir, 'd');
  mkdirSync(sub);
  symlinkSync(join(his, 'app.env'), join(sub, 'b.env'));
  expect(environment(join(sub, '*.env'))).toContain(`--unreadable ${join(sub, 'b.env')}\nit lies in the hands`);
});
