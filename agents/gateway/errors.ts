// What can go wrong on a gateway, as rows: code, sentence, what the operator does next.
import { defineErrors } from '../runtime/index.ts';

export const gatewayErrors = defineErrors({
  VW_GATEWAY_LAUNCHER_UNREACHABLE: {
    message: 'the launcher does not answer on {socket}: {reason}',
    hint: 'see whether it runs: systemctl status viworks-launcher; tasks that run are not affected',
    retry: 'later',
  },
  VW_GATEWAY_LAUNCHER_ABSENT: {
    message: 'nothing listens on the launcher’s socket {socket}: {reason}',
    hint: 'start it: systemctl start viworks-launcher; tasks that run are not affected',
    retry: 'later',
  },
  VW_GATEWAY_LAUNCHER_REFUSED: {
    message: 'the launcher on {socket} refused: {reason}',
    hint: 'set agent_user in launcher.toml to the user that this agent runs as',
    retry: 'never',
    exitCode: 64,
  },
  VW_GATEWAY_LAUNCHER_MISMATCH: {
    message: 'the launcher keeps its tasks in {theirs}, but tasks_dir of this gateway is {ours}',
    hint: 'give tasks_dir the same value in gateway.toml and launcher.toml',
    retry: 'never',
    exitCode: 64,
  },
  VW_GATEWAY_NO_PERL: {
    message: 'cannot run {file}: {reason}',
    hint: 'the launcher needs perl-base, which is Essential on Debian: apt-get install perl-base',
    retry: 'never',
    exitCode: 64,
  },
  VW_GATEWAY_STATE_UNUSABLE: {
    message: 'cannot use the state directory {dir}: {reason}',
    hint: 'give it to the agent’s user, and see that the disk is not full: ls -ld {dir}; df {dir}',
    retry: 'never',
    exitCode: 64,
  },
  VW_GATEWAY_ALREADY_RUNNING: {
    message: 'another gateway agent uses {dir}',
    hint: 'stop it, or give this one its own state_dir: ss -xlp | grep viworks-gateway',
    retry: 'never',
    exitCode: 64,
  },
  VW_GATEWAY_STORAGE: {
    message: 'cannot write the journal in {dir}: {reason}',
    hint: 'free space on that file system, or repair it: df {dir}; new tasks are refused until then, running ones go on',
    retry: 'later',
  },
  VW_GATEWAY_SPOOL: {
    message: 'cannot write the spool of the tasks in {dir}: {reason}',
    hint: 'free space on that file system, or repair it: df {dir}; df -i {dir}; new tasks are refused until then, running ones go on',
    retry: 'later',
  },
  VW_GATEWAY_TRUST_UNREADABLE: {
    message: 'cannot read the trusted certificates {file}: {reason}',
    hint: 'trust_file must be a PEM file that the agent’s user may read: ls -l {file}',
    retry: 'never',
    exitCode: 64,
  },
  VW_GATEWAY_IDENTITY_DAMAGED: {
    message: 'the identity file {file} cannot be read: {reason}',
    hint: 'restore it from a backup, or move it away and enrol this gateway again: viworks enroll --help',
    retry: 'never',
    exitCode: 64,
  },
  VW_GATEWAY_IDENTITY_FORBIDDEN: {
    message: 'this user may not read the identity of the gateway, {file}',
    hint: 'it belongs to the agent’s own user; run the command as root: sudo viworks …',
    retry: 'never',
    exitCode: 64,
  },
  VW_GATEWAY_IDENTITY_MISMATCH: {
    message: 'the identity in {file} is that of gateway {theirs}, but gateway_id is {ours}',
    hint: 'correct gateway_id, or enrol this gateway under its new name with a new state_dir',
    retry: 'never',
    exitCode: 64,
  },
  VW_GATEWAY_NOT_ENROLLED: {
    message: 'gateway {gateway} is not enrolled, and there is no enrolment token to do it with',
    hint: 'on the backend’s host: sudo viworks backend enrolment-token create --gateway {gateway}; here: sudo viworks enroll --config {config} --token-file FILE',
    retry: 'never',
    exitCode: 64,
  },
  VW_GATEWAY_ENROLMENT_REFUSED: {
    message: 'the backend refused to enrol gateway {gateway}: {reason}',
    hint: 'make a new one-time token on the backend’s host: sudo viworks backend enrolment-token create --gateway {gateway}',
    retry: 'never',
    exitCode: 64,
  },
  VW_GATEWAY_ENROLMENT_UNTRUSTED: {
    message: 'the certificate of {url} is not trusted: {reason}',
    hint: 'name the CA that signed it as trust_file in gateway.toml, and see whether this host’s clock is right',
    retry: 'later',
  },
  VW_GATEWAY_ENROLMENT_FAILED: {
    message: 'cannot reach {url} to enrol: {reason}',
    hint: 'see whether the name, the port and the proxy are right: curl --http1.1 -v {url}',
    retry: 'later',
  },
  VW_GATEWAY_LISTEN: {
    message: 'cannot listen on {bind}:{port}: {reason}',
    hint: 'find who uses it (ss -ltnp), or change [local_api] in gateway.toml',
    retry: 'never',
    exitCode: 64,
  },
});
