// What can go wrong between the operator's words and the backend's answer, and the exit code of each.
import { defineErrors } from '../agents/runtime/index.ts';

export const cliErrors = defineErrors({
  VW_CLI_UNKNOWN_COMMAND: {
    message: 'unknown command {name}{nearest}',
    hint: 'run `viworks --help` for the list',
    retry: 'never',
    exitCode: 64,
  },
  VW_CLI_NOT_BUILT: {
    message: 'the command {name} is not part of this build',
    hint: 'build again: npm run build',
    retry: 'never',
    exitCode: 70,
  },
  VW_CLI_NOT_HERE: {
    message: '`viworks {name}` is not installed on this host',
    hint: 'run it where viworks is deployed from; a managed host has the other commands only (in a checkout: npm run build)',
    retry: 'never',
    exitCode: 64,
  },
  VW_CLI_BROKEN_PIPE: {
    message: 'the reader of the output has gone',
    hint: 'nothing to do',
    retry: 'never',
    exitCode: 0,
  },
  VW_CLI_OUTPUT: {
    message: 'cannot write the output: {reason}',
    hint: 'free space there, or send it elsewhere; the task whose output was lost has been cancelled',
    retry: 'never',
    exitCode: 74,
  },
  VW_CLI_UNREACHABLE: {
    message: 'cannot reach {url}: {reason}',
    hint: 'is the backend up? `viworks doctor` says what is wrong between here and there',
    retry: 'later',
    exitCode: 69,
  },
  VW_CLI_UNTRUSTED: {
    message: 'the certificate of {url} is not trusted: {reason}',
    hint: 'name the CA that signed it: --trust-file FILE (or VIWORKS_TRUST_FILE, or trustFile of the context in ~/.config/viworks/contexts.json)',
    retry: 'never',
    exitCode: 64,
  },
  VW_CLI_UNAUTHORISED: {
    message: '{url} refused the token{context}: {reason}',
    hint: 'give a valid one with --token-file; a new one is made on the backend host: sudo viworks backend token create --role operator --name NAME',
    retry: 'never',
    exitCode: 64,
  },
  VW_CLI_REFUSED: {
    message: '{reason}',
    hint: '{remedy}',
    retry: 'never',
    exitCode: 1,
  },
  VW_CLI_BACKEND_FAILED: {
    message: 'the backend could not do it: {reason}',
    hint: '{remedy}',
    retry: 'later',
    exitCode: 69,
  },
  VW_CLI_NOT_STARTED: {
    message: 'not started: {reason}',
    hint: '{remedy}',
    retry: 'never',
    exitCode: 125,
  },
  VW_CLI_STREAM_HOLE: {
    message: 'the output stream skipped bytes without saying so: {reason}',
    hint: 'it is fetched again automatically; if this keeps happening, report it with the output of `viworks --version`',
    retry: 'later',
    exitCode: 75,
  },
  VW_CLI_ANSWER: {
    message: '{url} answered {status}, which is not an answer of a viworks backend',
    hint: 'check the URL and what the proxy in front does with it: viworks doctor',
    retry: 'later',
    exitCode: 69,
  },
  VW_CLI_UNKNOWN_TASK: {
    message: 'there is no task {task}',
    hint: 'list the latest ones: viworks tasks',
    retry: 'never',
    exitCode: 1,
  },
  VW_CLI_UNKNOWN_GATEWAY: {
    message: 'there is no gateway {gateway}',
    hint: 'list them: viworks gateways',
    retry: 'never',
    exitCode: 1,
  },
  VW_CLI_RESULT_NOT_SEEN: {
    message: 'the backend did not come back within {seconds} s; the task {task} may be running or done',
    hint: 'ask again later: viworks tasks logs {task}',
    retry: 'later',
    exitCode: 75,
  },
  VW_CLI_STDIN_TOO_LARGE: {
    message: 'standard input is larger than {limit} bytes',
    hint: 'put the data on the host first, or send it in smaller parts',
    retry: 'never',
    exitCode: 64,
  },
});
