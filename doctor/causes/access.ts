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
    readonly title: (host: string, seen: HostAccess | null) => string;
    readonly fix: (seen: HostAccess | null) => Remedy;
  },
): readonly CauseRow[] =>
  (['be', 'gw'] as const).map((seat) => ({
    ...row,
    host: seat,
    title: (view) => says.title(parts.hostOf(view, seat), access(view, seat)),
    necessary: [
      sign(
        [
          (view) => access(view, seat)?.message || `${parts.hostOf(view, seat)}: ${access(view, seat)?.outcome ?? ''}`,
          (view) => `logging in to ${parts.hostOf(view, seat)} ends with "${access(view, seat)?.outcome ?? 'ok'}"`,
        ],
        (view) => judge(view, ['host.access', 'op', seat], (seen) => outcomes.includes(seen.outcome)),
      ),
    ],
    predicts: [seat === 'be' ? 'host.backend.visible' : 'host.gateway.visible'],
    remedy: (view) => says.fix(access(view, seat)),
  }));

const target = (seen: HostAccess | null) => (seen ? `${seen.user}@${seen.address}` : 'user@host');

const AWAY: Readonly<Record<string, string>> = {
  refused: 'connection refused',
  timeout: 'no answer in time',
  unreachable: 'no route to it',
};

/** The next step as the transport gave it, which heard what sshd said; else the general one. */
const heard =
  (text: string, command: (seen: HostAccess | null) => string) =>
  (seen: HostAccess | null): Remedy =>
    seen?.remedy === undefined ? remedy(text, [command(seen)]) : remedy(seen.remedy);

export const accessCauses: readonly CauseRule[] = causesOf(
  { layer: 'access', hop: 'access', host: 'be', scope: 'sight' },
  {
    'SSH-01': both(
      {
        name: 'SSH key refused',
        help: 'The login was refused (publickey). Traffic does not depend on it; everything that can be seen from elsewhere is still checked.',
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
        help: 'Either the host was reinstalled or someone is intercepting the connection. A changed key is never accepted automatically; network probes still run.',
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
        help: 'The machine may be off, or only its SSH port may be closed to us. What can be seen from elsewhere decides; hops that only this host could show stay unknown.',
      },
      ['timeout', 'unreachable', 'refused'],
      {
        title: (host, seen) =>
          `${host} cannot be reached over SSH${seen ? `: ${AWAY[seen.outcome] ?? seen.outcome}` : ''}`,
        fix: (seen) =>
          seen?.outcome === 'refused'
            ? remedy(
                'the machine answers, but nothing listens on that port: check the port, and check sshd from its console',
              )
            : remedy('check the machine itself and the network path to it', [`ping -c 3 ${seen?.address ?? 'HOST'}`]),
      },
    ),
    'SSH-13': both(
      {
        name: 'SSH connection lost',
        help: 'The connection broke during the examination. What had arrived counts; whatever failed or was missing after that was not seen, and no cause rests on it.',
      },
      ['cut'],
      {
        title: (host, seen) => seen?.message || `the SSH connection to ${host} broke while it was looked at`,
        fix: (seen) =>
          remedy(
            'run the doctor again; if the connection breaks again, check the network path to the host and its sshd',
            [`ssh -p ${seen?.port ?? 22} ${target(seen)} journalctl -u ssh -n 20`],
          ),
      },
    ),
    'SSH-14': both(
      {
        name: 'account without a shell',
        help: 'Login works, but none of our commands ran: a forced command, a nologin or restricted shell, a login script that never ends, or a host too busy to start one. The host counts as not seen.',
      },
      ['no-shell'],
      {
        title: (host) => `${host} accepts the login but runs none of our commands`,
        fix: (seen) =>
          remedy(
            'check the login shell of that account, its login scripts (.bashrc, /etc/profile), command= and ForceCommand, or use another user',
            [`ssh -p ${seen?.port ?? 22} ${target(seen)} true; echo $?`],
          ),
      },
    ),
    'SSH-04': both(
      {
        name: 'too many keys for sshd',
        help: 'An SSH agent with many keys offers them one by one, and sshd closes the connection at MaxAuthTries. The right key may be among those that were never offered.',
      },
      ['too-many-keys'],
      {
        title: (host) => `sshd of ${host} gave up after too many keys`,
        fix: heard(
          'name the right key: identity_file in the inventory, or IdentityFile with IdentitiesOnly yes in ~/.ssh/config',
          () => 'ssh-add -l',
        ),
      },
    ),
    'SSH-08': both(
      {
        name: 'SSH key locked',
        help: 'The key file is encrypted, no agent holds it, and there is no terminal to ask for the passphrase. The host never saw the key.',
      },
      ['key-not-offered'],
      {
        title: (host) => `our SSH key for ${host} has a passphrase and was not offered`,
        fix: heard('unlock the key for this session', () => 'ssh-add'),
      },
    ),
    'SSH-15': both(
      {
        name: 'SSH wants more than a key',
        help: 'The key was accepted. AuthenticationMethods in sshd_config also asks for a password or a code.',
      },
      ['more-wanted'],
      {
        title: (host) => `${host} accepts our SSH key and wants a second factor`,
        fix: heard(
          'run the doctor in a terminal, where you can answer, or let sshd accept the key alone for that account',
          (seen) => `ssh -p ${seen?.port ?? 22} ${target(seen)} true`,
        ),
      },
    ),
    'SSH-16': both(
      {
        name: 'SSH account closed',
        help: 'The key is right, but the account rules of the host (PAM) refuse the login: an expired or locked account, or /etc/nologin.',
      },
      ['account-closed'],
      {
        title: (host) => `${host} accepts our SSH key and does not let the account in`,
        fix: heard(
          'check that account from the console of the host: expired, locked, or logins disabled',
          (seen) => `chage -l ${seen?.user ?? 'USER'}; ls /etc/nologin; journalctl -u ssh -n 20`,
        ),
      },
    ),
    'SSH-17': both(
      {
        name: 'SSH connection closed before login',
        help: 'Something listens on the port and hangs up: sshd at its login limit, a ban, or a middlebox.',
      },
      ['cut-off'],
      {
        title: (host) => `${host} accepts the SSH connection and closes it before login`,
        fix: heard('check the sshd log, MaxStartups, and bans such as fail2ban', () => 'journalctl -u ssh -n 20'),
      },
    ),
    'SSH-18': both(
      {
        name: 'no SSH session with what answers',
        help: 'Another program listens on the port, or there is no algorithm in common.',
      },
      ['protocol-error'],
      {
        title: (host) => `what answers at the SSH port of ${host} speaks no SSH that we can use`,
        fix: heard('see what the other side says', (seen) => `ssh -v -p ${seen?.port ?? 22} ${target(seen)} true`),
      },
    ),
    'SSH-19': both(
      {
        name: 'host name does not resolve',
        help: 'This machine cannot resolve the host name. That says nothing about the host itself.',
      },
      ['name-unresolved'],
      {
        title: (host) => `the address of ${host} does not resolve here`,
        fix: heard(
          'correct the address in the inventory, or fix name resolution on this machine',
          (seen) => `getent hosts ${seen?.address ?? 'HOST'}`,
        ),
      },
    ),
    'SSH-20': both(
      {
        name: 'unknown host key',
        help: 'The doctor talks to a host only if its key is pinned in the inventory or listed in known_hosts. A key of a different type is not accepted either.',
      },
      ['host-key-unknown', 'host-key-other-type'],
      {
        title: (host) => `no matching host key of ${host} is known here; nothing was sent`,
        fix: heard(
          'compare the fingerprint from the console of the host, then accept it, or pin it with viworks deploy trust',
          (seen) => `ssh -p ${seen?.port ?? 22} ${target(seen)} true`,
        ),
      },
    ),
    'SSH-21': both(
      {
        name: 'SSH not ready on this machine',
        help: 'The key file, the OpenSSH client or its configuration is missing or cannot be used.',
      },
      ['not-tried'],
      {
        title: (host) => `this machine lacks what it needs to log in to ${host}`,
        fix: heard('fix it on this machine; the host was not contacted', (seen) => `ssh -G ${seen?.address ?? 'HOST'}`),
      },
    ),
  },
);
