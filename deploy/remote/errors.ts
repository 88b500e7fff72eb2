// What can go wrong between this machine and a host, before anything on the host is asked to do work.
import { defineErrors } from '../../agents/runtime/index.ts';

/** The errors of the SSH transport. Exit codes 8 (unreachable), 9 (identity), 10 (who may log in). */
export const remoteErrors = defineErrors({
  VW_REMOTE_NAME: {
    message: '{host}: no SSH connection to {address}:{port}: {reason}',
    hint: 'correct the address, or the name service of this machine: getent hosts {address}',
    retry: 'later',
    exitCode: 8,
  },
  VW_REMOTE_REFUSED: {
    message: '{host}: no SSH connection to {address}:{port}: {reason}',
    hint: 'check the port, and that sshd runs there: systemctl status ssh, on the console of the host',
    retry: 'later',
    exitCode: 8,
  },
  VW_REMOTE_TIMEOUT: {
    message: '{host}: no SSH connection to {address}:{port}: {reason}',
    hint: 'check that the host is up, and that no firewall drops the way to it: ssh -p {port} {address} true',
    retry: 'later',
    exitCode: 8,
  },
  VW_REMOTE_UNREACHABLE: {
    message: '{host}: no SSH connection to {address}:{port}: {reason}',
    hint: 'check the address and the way to it: ip route get {address}',
    retry: 'later',
    exitCode: 8,
  },
  VW_REMOTE_CUT_OFF: {
    message: '{host}: {address}:{port} accepted the connection and closed it {when}: {reason}',
    hint: 'look at the log of its sshd (journalctl -u ssh), at MaxStartups, and at bans such as fail2ban',
    retry: 'later',
    exitCode: 8,
  },
  VW_REMOTE_PROTOCOL: {
    message: '{host}: {address}:{port} answers, and no SSH session came of it: {reason}',
    hint: 'check that sshd listens on that port, and what it says: ssh -v -p {port} {user}@{address} true',
    retry: 'never',
    exitCode: 8,
  },
  VW_REMOTE_HOST_KEY_CHANGED: {
    message: '{host}: the host key is {actual} ({type}), but {source} says {expected}; nothing was sent',
    hint: 'if the host was reinstalled, compare the fingerprint on its console, then: viworks deploy trust {host}',
    retry: 'never',
    exitCode: 9,
  },
  VW_REMOTE_HOST_KEY_UNKNOWN: {
    message: '{host}: no key is known for {address}:{port}, which shows {actual} ({type}); nothing was sent',
    hint: 'compare the fingerprint on the console of the host, then pin it: viworks deploy trust {host}',
    retry: 'never',
    exitCode: 9,
  },
  VW_REMOTE_HOST_KEY_TYPE: {
    message:
      '{host}: {source} knows a key of type {expected} for {address}:{port}, which shows only {actual} ({type}); nothing was sent',
    hint: 'compare the fingerprint on the console of the host, then pin it: viworks deploy trust {host}',
    retry: 'never',
    exitCode: 9,
  },
  VW_REMOTE_AUTH: {
    message: '{host}: sshd refused {user} with every key that was offered ({offered})',
    hint: 'add a key of yours to ~{user}/.ssh/authorized_keys there, or name one: identity_file under [hosts.{host}]',
    retry: 'never',
    exitCode: 10,
  },
  VW_REMOTE_MORE_WANTED: {
    message: '{host}: sshd accepted {accepted} for {user} and wants more: {wanted}',
    hint: 'run the command on a terminal, where the question can be answered; for jobs without one, let sshd take the key alone for {user} (AuthenticationMethods)',
    retry: 'never',
    exitCode: 10,
  },
  VW_REMOTE_TOO_MANY_KEYS: {
    message: '{host}: sshd gave up after too many keys for {user} ({offered}): {reason}',
    hint: 'name the right one: identity_file under [hosts.{host}], or IdentityFile with IdentitiesOnly yes in ~/.ssh/config',
    retry: 'never',
    exitCode: 10,
  },
  VW_REMOTE_ACCOUNT_CLOSED: {
    message: '{host}: sshd accepted {accepted} for {user} and closed the connection all the same: {reason}',
    hint: 'look at that account on the host: chage -l {user}; ls /etc/nologin; journalctl -u ssh',
    retry: 'never',
    exitCode: 10,
  },
  VW_REMOTE_KEY_LOCKED: {
    message: '{host}: the key {file} was not offered: {reason}',
    hint: 'unlock it for this session: ssh-add {file}',
    retry: 'never',
    exitCode: 64,
  },
  VW_REMOTE_IDENTITY_FILE: {
    message: '{host}: cannot use the key {file}: {reason}',
    hint: 'check the path and its mode (0600); a key with a passphrase works through ssh-agent: ssh-add {file}',
    retry: 'never',
    exitCode: 64,
  },
  VW_REMOTE_NO_OPENSSH: {
    message: '{host}: {why} needs the OpenSSH client, and there is none: {reason}',
    hint: 'install it on this machine: apt-get install openssh-client',
    retry: 'never',
    exitCode: 64,
  },
  VW_REMOTE_SSH_CONFIG: {
    message: '{host}: ssh cannot use its configuration for {address}: {reason}',
    hint: 'see what it says: ssh -G {address}',
    retry: 'never',
    exitCode: 64,
  },
  VW_REMOTE_DROPPED: {
    message: '{host}: the connection was lost while {what}',
    hint: 'look at the network and at the host, then run the command again',
    retry: 'later',
    exitCode: 8,
  },
  VW_REMOTE_DEADLINE: {
    message: '{host}: {what} took longer than {limitMs} ms',
    hint: 'look at the load of the host, then run the command again',
    retry: 'later',
    exitCode: 8,
  },
  VW_REMOTE_OUTPUT: {
    message: '{host}: {what} printed more than {limitBytes} bytes',
    hint: 'a shell start-up file may print without end; look at ~/.bashrc of that user',
    retry: 'never',
  },
  VW_REMOTE_CHANNEL: {
    message: '{host}: sshd gave no channel for {what}: {reason}',
    hint: 'look at MaxSessions and AllowTcpForwarding in its sshd_config',
    retry: 'later',
    exitCode: 10,
  },
  VW_REMOTE_JUMP: {
    message: '{host}: connections through another host ({jump}) are not supported yet',
    hint: 'drop jump under [hosts.{host}], and name the way in ~/.ssh/config: ProxyJump {jump}',
    retry: 'never',
    exitCode: 64,
  },
});
