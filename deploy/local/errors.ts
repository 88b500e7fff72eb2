// What can keep `viworks up` from bringing the system up on this machine.
import { defineErrors } from '../../agents/runtime/index.ts';

export const localErrors = defineErrors({
  VW_UP_PORT_TAKEN: {
    message: 'port {port} of {bind} is taken{by}; {what} needs it',
    hint: 'give {what} another port with {option}, or end the program that has it: ss -ltnp sport = :{port}',
    retry: 'never',
    exitCode: 64,
  },
  VW_UP_RUNNING: {
    message: 'viworks up is running already (pid {pid}, since {since})',
    hint: 'use that one, or end it first: kill {pid}',
    retry: 'never',
    exitCode: 64,
  },
  VW_UP_STATE: {
    message: 'cannot use the state directory {directory}: {reason}',
    hint: 'make it writable and give it room (ls -ld {directory}; df {directory}), or choose another place with XDG_STATE_HOME',
    retry: 'never',
    exitCode: 64,
  },
  VW_UP_CHILD_ENDED: {
    message: 'the {name} ended unexpectedly ({ending}); its last words:\n{words}',
    hint: 'the whole log is in {log}',
    retry: 'later',
  },
  VW_UP_NOT_READY: {
    message: 'the {name} was not ready within {seconds} s: {reason}',
    hint: 'its log is in {log}',
    retry: 'later',
  },
  VW_UP_COMMAND_FAILED: {
    message: '`{command}` failed with exit {code}: {words}',
    hint: 'run it by hand to see more',
    retry: 'later',
  },
});
