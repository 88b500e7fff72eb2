// The deployer's error catalogue. Exit codes as the deployer documents them: 3 rolled back, 4 held, 5 locked, 6 refused …
import { defineErrors, describe, fromUnknown } from '../agents/runtime/index.ts';

/** The errors of `viworks deploy`. */
export const deployErrors = defineErrors({
  VW_DEPLOY_ROLLED_BACK: {
    message: '{host}: {what} failed: {reason}',
    hint: 'every host is back on what it ran before (verified); correct the cause, then: viworks deploy apply',
    retry: 'never',
    exitCode: 3,
  },
  VW_DEPLOY_HOLD: {
    message: '{host}: neither the new nor the old state could be verified:\n{reason}',
    hint: 'correct the cause on the host (viworks doctor names it), then: viworks deploy apply; or go further back: viworks deploy rollback',
    retry: 'never',
    exitCode: 4,
  },
  VW_DEPLOY_LOCKED: {
    message: '{host}: another deploy is running: {holder}',
    hint: 'wait for it to end, then run the command again; the lock ends with the process that holds it',
    retry: 'later',
    exitCode: 5,
  },
  VW_DEPLOY_REFUSED: {
    message: '{host}: {check} refuses the new release:\n{reason}',
    hint: 'nothing live was touched; correct the inventory or the host, then: viworks deploy plan',
    retry: 'never',
    exitCode: 6,
  },
  VW_DEPLOY_NO_WAY_BACK: {
    message: '{host}: {check} refuses the release that runs now, so there would be no way back:\n{reason}',
    hint: 'nothing live was touched; correct the host, or run: viworks deploy apply --no-way-back',
    retry: 'never',
    exitCode: 6,
  },
  VW_DEPLOY_BAD_RELEASE: {
    message: '{host}: release {release} failed here before: {reason}',
    hint: 'correct the cause and run: viworks deploy apply --retry-bad',
    retry: 'never',
    exitCode: 6,
  },
  VW_DEPLOY_MACHINE: {
    message: '{host}: this is another machine: machine-id {actual}, the inventory says {expected}',
    hint: 'correct the address, or machine_id under [hosts.{host}]',
    retry: 'never',
    exitCode: 9,
  },
  VW_DEPLOY_PRIVILEGE: {
    message: '{host}: {user} may not run the deployer as root: {reason}',
    hint: 'first install: use root, or full sudo, once. Afterwards one rule is enough, in /etc/sudoers.d/viworks:\n{user} ALL=(root) NOPASSWD: {helper}',
    retry: 'never',
    exitCode: 10,
  },
  VW_DEPLOY_SHELL: {
    message: '{host}: the login shell of {user} did not start the deployer: {reason}',
    hint: 'give {user} /bin/sh as its shell, and let its start-up files print and exit nothing',
    retry: 'never',
    exitCode: 10,
  },
  VW_DEPLOY_SPACE: {
    message: '{host}: there is {free} free in {directory}, the release needs {needed}',
    hint: 'free space on that file system (df -h {directory}), then run the command again',
    retry: 'never',
    exitCode: 11,
  },
  VW_DEPLOY_HOST_UNFIT: {
    message: '{host}: {what}',
    hint: '{remedy}',
    retry: 'never',
    exitCode: 12,
  },
  VW_DEPLOY_HAND_EDITED: {
    message: '{host}: managed files were changed by hand ({count}):\n{files}',
    hint: 'put the changes into the inventory, or run: viworks deploy apply --overwrite   (keeps a copy beside each, .viworks-orig)',
    retry: 'never',
    exitCode: 13,
  },
  VW_DEPLOY_ARTEFACT: {
    message: '{what}',
    hint: '{remedy}',
    retry: 'never',
    exitCode: 14,
  },
  VW_DEPLOY_UNSUPPORTED: {
    message: '{key} = {value} is not supported by the deployer yet',
    hint: 'use {instead}',
    retry: 'never',
    exitCode: 64,
  },
  VW_DEPLOY_TEMPLATE: {
    message: '{problem}',
    hint: 'a template is at fault, not the inventory: report it with this line',
    retry: 'never',
    exitCode: 64,
  },
  VW_DEPLOY_TLS: {
    message: '{problem}',
    hint: '{remedy}',
    retry: 'never',
    exitCode: 6,
  },
  VW_DEPLOY_HOST_FAILED: {
    message: '{host}: {what}: {reason}',
    hint: 'look at the host: journalctl -b, and viworks deploy status',
    retry: 'later',
    exitCode: 1,
  },
  VW_DEPLOY_PEER: {
    message: '{host}: port {port} is not proven to be the backend’s, so nothing was sent to it: {reason}',
    hint: "look on the host: ss -ltnp 'sport = :{port}'; stop what holds the port, start the backend again, then repeat the command",
    retry: 'later',
    exitCode: 1,
  },
  VW_DEPLOY_NOT_CONFIRMED: {
    message: 'not confirmed: nothing was changed',
    hint: 'answer y, or run it with --yes',
    retry: 'never',
    exitCode: 64,
  },
  VW_DEPLOY_NOTHING_TO_ROLL_BACK: {
    message: '{host}: there is no earlier release to go back to',
    hint: 'viworks deploy remove takes everything away; viworks deploy status shows what is there',
    retry: 'never',
    exitCode: 64,
  },
});

/** The reason alone, for a sentence that names the host and the verdict itself. */
export function reasonOf(error: unknown): string {
  const { code, detail } = fromUnknown(error);
  if (code === 'VW_DEPLOY_HOLD') return String(detail.reason);
  return code === 'VW_DEPLOY_HOST_FAILED' ? `${detail.what}: ${detail.reason}` : describe(error);
}
