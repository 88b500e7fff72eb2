// Why the doctor could not look at a host. Never the cause of an outage: these only take away sight.
import {
  type CauseRow,
  type CauseRule,
  causesOf,
  type HostAccess,
  judge,
  type Remedy,
  sign,
  signs,
  type View,
} from '../engine/index.ts';
import { remedy } from './texts.ts';

const { parts } = signs;

function access(view: View, seat: 'be' | 'gw'): HostAccess | null {
  return view.value('host.access', 'op', seat);
}

/** One row for each kind of host. */
const both = (
  row: Pick<CauseRow, 'name' | 'help'>,
  outcomes: readonly HostAccess['outcome'][],
  says: {
    readonly title: (host: string) => string;
    readonly fix: (seen: HostAccess | null) => Remedy;
  },
): readonly CauseRow[] =>
  (['be', 'gw'] as const).map((seat) => ({
    ...row,
    host: seat,
    title: (view) => says.title(parts.hostOf(view, seat)),
    necessary: [
      sign(
        (view) => access(view, seat)?.message || `${parts.hostOf(view, seat)}: ${access(view, seat)?.outcome ?? ''}`,
        (view) => judge(view, ['host.access', 'op', seat], (seen) => outcomes.includes(seen.outcome)),
      ),
    ],
    predicts: [seat === 'be' ? 'host.backend.visible' : 'host.gateway.visible'],
    remedy: (view) => says.fix(access(view, seat)),
  }));

const target = (seen: HostAccess | null) => (seen ? `${seen.user}@${seen.address}` : 'user@host');

export const accessCauses: readonly CauseRule[] = causesOf(
  { layer: 'access', hop: 'access', host: 'be', scope: 'sight' },
  {
    'SSH-01': both(
      {
        name: 'SSH key refused',
        help: 'Login was refused (publickey). Traffic does not depend on it; everything that can be seen from elsewhere is still looked at.',
      },
      ['auth-denied'],
      {
        title: (host) => `${host} does not accept our SSH key`,
        fix: (seen) => remedy('add the key for that user', [`ssh-copy-id -p ${seen?.port ?? 22} ${target(seen)}`]),
      },
    ),
    'SSH-02': both(
      {
        name: 'host key changed',
        help: 'Either the host was installed anew or somebody stands in between. A changed key is never accepted by itself; probes over the network go on.',
      },
      ['host-key-changed'],
      {
        title: (host) => `the host key of ${host} has changed; it was not accepted`,
        fix: (seen) =>
          remedy(
            `find out why before trusting it${seen ? `: expected ${seen.expectedKey ?? 'none'}, offered ${seen.offeredKey ?? 'none'}` : ', and compare both fingerprints'}`,
            [`ssh-keygen -F ${seen?.address ?? 'HOST'}`, 'viworks deploy trust HOST'],
          ),
      },
    ),
    'SSH-09': both(
      {
        name: 'host unreachable over SSH',
        help: 'The machine may be off, or only its SSH port closed to us. What other vantages show decides; hops that only this host could show stay unknown.',
      },
      ['timeout', 'unreachable', 'refused'],
      {
        title: (host) => `${host} cannot be reached over SSH`,
        fix: (seen) =>
          remedy('look at the machine itself, or at the way to it', [`ping -c 3 ${seen?.address ?? 'HOST'}`]),
      },
    ),
    'SSH-13': both(
      {
        name: 'SSH connection broken off',
        help: 'The connection broke while the host was looked at. What had arrived counts; what failed or did not come after that was not seen, and no cause rests on it.',
      },
      ['cut'],
      {
        title: (host) => `the SSH connection to ${host} broke while it was looked at`,
        fix: (seen) =>
          remedy('run the doctor again; if it breaks again, look at the way to the host and at its sshd', [
            `ssh -p ${seen?.port ?? 22} ${target(seen)} journalctl -u ssh -n 20`,
          ]),
      },
    ),
    'SSH-14': both(
      {
        name: 'account without a shell',
        help: 'Login works, and no command of ours ran: a forced command, a nologin or restricted shell, or a host too busy to start one. The host counts as not seen.',
      },
      ['no-shell'],
      {
        title: (host) => `${host} lets us in and runs none of our commands`,
        fix: (seen) =>
          remedy('look at the login shell of that account and at command= and ForceCommand, or name another user', [
            `ssh -p ${seen?.port ?? 22} ${target(seen)} true; echo $?`,
          ]),
      },
    ),
  },
);
