// Users and groups that the units need. What was made here is remembered, so that removal takes away only that.
import { deployErrors } from '../errors.ts';
import type { ReleaseAccount } from '../plan/manifest.ts';
import { run } from './tools.ts';

/** Creates what is missing; gives what was made. */
export async function ensureAccounts(
  accounts: readonly ReleaseAccount[],
): Promise<{ readonly accounts: readonly string[]; readonly groups: readonly string[] }> {
  const made = { accounts: [] as string[], groups: [] as string[] };
  for (const account of accounts) {
    const group = await run(['getent', 'group', account.name]);
    if (group.code !== 0) {
      await must(['groupadd', '--system', account.name]);
      made.groups.push(account.name);
    }
    if (account.groupOnly || (await run(['getent', 'passwd', account.name])).code === 0) continue;
    const shell = '/usr/sbin/nologin';
    await must([
      ...(['useradd', '--system', '--gid', account.name, '--no-create-home'] as const),
      ...['--home-dir', account.home, '--shell', shell, account.name],
    ]);
    made.accounts.push(account.name);
  }
  return made;
}

/** Takes accounts away that were made here. */
export async function removeAccounts(made: {
  readonly accounts: readonly string[];
  readonly groups: readonly string[];
}): Promise<void> {
  for (const name of made.accounts) await run(['userdel', name]);
  for (const name of made.groups) await run(['groupdel', name]);
}

async function must(argv: readonly [string, ...string[]]): Promise<void> {
  const ran = await run(argv);
  if (ran.code !== 0) throw deployErrors.create('VW_DEPLOY_HOST_FAILED', { what: argv[0], reason: ran.stderr.trim() });
}
