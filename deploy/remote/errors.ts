// What can go wrong between this machine and a host, before anything on the host is asked to do work.
import { defineErrors } from '../../agents/runtime/index.ts';

/** The errors of the SSH transport. Exit codes 8 (unreachable), 9 (identity), 10 (who may log in). */
export const remoteErrors = defineErrors({
  VW_REMOTE_UNREACHABLE: {
    message: '{host}: no SSH connection to {address}:{port}: {reason}',
    hint: 'check the address and that sshd answers there: ssh -p {port} {address} true',
    retry: 'later',
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
  VW_REMOTE_AUTH: {
    message: '{host}: sshd refused {user} with every key that was offered ({offered})',
    hint: 'add a key of yours to ~{user}/.ssh/authorized_keys there, or name one: identity_file under [hosts.{host}]',
    retry: 'never',
    exitCode: 10,
  },
  VW_REMOTE_IDENTITY_FILE: {
    message: '{host}: cannot use the key {file}: {reason}',
    hint: 'check the path and its mode (0600); a key with a passphrase works through ssh-agent: ssh-add {file}',
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
    hint: 'run viworks where the host can be reached directly, and drop jump under [hosts.{host}]',
    retry: 'never',
    exitCode: 64,
  },
});
