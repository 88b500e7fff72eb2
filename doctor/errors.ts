// What can end the doctor itself. What it finds wrong elsewhere is a finding, never one of these.
import { defineErrors } from '../agents/runtime/index.ts';

export const doctorErrors = defineErrors({
  VW_DOCTOR_NO_TOPOLOGY: {
    message: 'which installation? no inventory was given and {tried} does not exist',
    hint: 'name one: viworks doctor -i viworks.toml, or viworks doctor --backend HOST --gateway HOST --url wss://NAME/ws/agent; for `viworks up`: viworks doctor --local',
    retry: 'never',
    exitCode: 64,
  },
  VW_DOCTOR_USAGE: {
    message: '{problem}',
    hint: 'run `viworks doctor --help` for the options and examples',
    retry: 'never',
    exitCode: 64,
  },
  VW_DOCTOR_RECORDING_UNREADABLE: {
    message: 'cannot read the recording {file}: {reason}',
    hint: 'recordings are kept below ~/.local/state/viworks/doctor: ls -t ~/.local/state/viworks/doctor',
    retry: 'never',
    exitCode: 64,
  },
  VW_DOCTOR_RECORDING_UNWRITABLE: {
    message: 'cannot write {file}: {reason}',
    hint: 'give another place with --record FILE, or none with --no-record',
    retry: 'never',
  },
  VW_DOCTOR_OUTPUT_UNWRITABLE: {
    message: 'cannot write the report to {file}: {reason}',
    hint: 'check the directory and its rights: ls -ld the directory of {file}',
    retry: 'never',
  },
  VW_DOCTOR_LOCAL_NONE: {
    message: 'nothing of `viworks up` is in {dir}',
    hint: 'start it with `viworks up`, or name an installation: viworks doctor -i viworks.toml',
    retry: 'never',
    exitCode: 64,
  },
  VW_DOCTOR_FILE_UNREADABLE: {
    message: 'cannot read {file}: {reason}',
    hint: 'check the path and that the file is yours: ls -l {file}',
    retry: 'never',
    exitCode: 64,
  },
  VW_DOCTOR_NO_PROBE_TOKEN: {
    message: '{file} holds no token of the role probe, and the doctor sends no other',
    hint: 'make one on the backend host: sudo viworks backend token create --role probe --name doctor; without --token-file the doctor uses its own of the context',
    retry: 'never',
    exitCode: 64,
  },
  VW_DOCTOR_UNKNOWN_ID: {
    message: 'there is no cause or check called {id}',
    hint: 'list them: viworks doctor explain',
    retry: 'never',
    exitCode: 64,
  },
});
