// `viworks run`: one command on one gateway, as if it ran here: bytes, exit code, Ctrl-C.
import type { CommandSpec } from '../../agents/runtime/index.ts';
import { TARGET_OPTIONS } from '../api/options.ts';
import { RUN_EXIT_CODES } from './exit-code.ts';
import { runOnGateway } from './session.ts';

export const runCommand: CommandSpec = {
  name: 'run',
  summary: 'run a command on a gateway; its output comes back live, its exit code becomes ours',
  description: `Runs a program on a gateway. What follows -- is passed as argv, untouched: no shell sees it on either side.
Stdout and stderr arrive apart, byte for byte. Ctrl-C cancels the task and waits until nothing of its process tree is
left; a second Ctrl-C leaves. When the connection or the backend breaks, the task goes on and the output resumes.
With --detach, 0 means that the command was started, or is kept for a gateway that is offline; what was refused has the
exit code that it would have without.`,
  arguments: [{ name: 'gateway', help: 'the gateway’s id; `viworks gateways` lists them' }],
  rest: 'COMMAND [ARGUMENT...]',
  options: [
    {
      flags: '-t, --timeout <duration>',
      help: 'end it after this long: 500ms, 30s, 5m, 1h30m; a bare number is seconds (default: no limit)',
    },
    { flags: '-e, --env <name=value>', help: 'add a variable to its environment', repeatable: true },
    { flags: '-C, --cwd <directory>', help: 'run it in this directory of the gateway (absolute)' },
    { flags: '-i, --stdin', help: 'read standard input to its end and give it to the command (up to 1 MiB)' },
    {
      flags: '-d, --detach',
      help: 'print the task’s id, and end when it has started (or does not start within 3 s)',
    },
    { flags: '--shell', help: 'what follows -- is one script for sh' },
    { flags: '--verb <name>', help: 'run a verb of the gateway instead of a program' },
    { flags: '--arg <name=value>', help: 'argument of --verb; JSON where it reads as JSON', repeatable: true },
    { flags: '--grace <duration>', help: 'time between SIGTERM and SIGKILL (default: 10s)' },
    { flags: '--ttl <duration>', help: 'how long to wait for an offline gateway (default: 60s)' },
    { flags: '--json', help: 'print the events as JSON lines instead of the bytes' },
    ...TARGET_OPTIONS,
  ],
  examples: [
    { command: 'viworks run gw-berlin-1 -- uname -sr', does: 'one program' },
    { command: "viworks run gw-berlin-1 --shell -- 'df -h | tail -3'", does: 'a script for sh' },
    { command: 'viworks run gw-berlin-1 --timeout 30s -- apt-get update', does: 'ended after 30 s, exit 124' },
    { command: 'viworks run gw-berlin-1 --stdin -- tee /tmp/x < file', does: 'with standard input' },
    { command: 'viworks run gw-berlin-1 --ttl 1h --detach -- uptime', does: 'as soon as it is back, within the hour' },
    { command: 'viworks run gw-berlin-1 --verb get_system_health', does: 'a verb' },
  ],
  seeAlso: ['viworks gateways', 'viworks tasks logs', 'viworks doctor'],
  exitCodes: RUN_EXIT_CODES.map(({ code, means }) => ({ code, means })),
  run: runOnGateway,
};
