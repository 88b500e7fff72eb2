// Faults in how systemd holds a unit: drop-ins of somebody else's, dependencies, rivals, a frozen group. Each with what systemd says of it.
import { backendUnit, gatewayUnit } from '../places.ts';
import { unit } from '../witness.ts';
import type { Answer, Break } from './break.ts';

const unitDir = '/etc/systemd/system';

interface Fault {
  readonly id: string;
  readonly what: string;
  readonly host: 'be1' | 'gw1';
  readonly unit: string;
  /** Lines of the drop-in, with their section headers. */
  readonly lines: string;
  readonly answer: Answer;
  /** What `systemctl show` says once the fault is in. */
  readonly shows: Readonly<Record<string, string>>;
  /** Restart, unless the fault shows only in another way. */
  readonly act?: string;
}

const cause = (code: string): Answer => ({ kind: 'cause', code });

function dropIn(fault: Fault): Break {
  const directory = `${unitDir}/${fault.unit}.d`;
  const restart = `systemctl daemon-reload; systemctl reset-failed ${fault.unit}; systemctl restart --no-block ${fault.unit}`;
  return {
    id: fault.id,
    what: fault.what,
    form: 'systemd',
    answer: fault.answer,
    inject: async (bench) => {
      await bench.write(fault.host, `${directory}/60-local.conf`, fault.lines);
      await bench.attempt(
        fault.host,
        `systemctl daemon-reload; ${fault.act ?? `systemctl restart --no-block ${fault.unit}`}`,
      );
    },
    witness: async (bench) => {
      const state = await unit(bench, fault.host, fault.unit);
      const seen = Object.entries(fault.shows);
      return seen.every(([key, value]) => state[key] === value)
        ? seen.map((item) => item.join('=')).join(' ')
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt(fault.host, `rmdir ${directory}`);
      await bench.run(fault.host, restart);
    },
  };
}

const gateway = { host: 'gw1', unit: gatewayUnit } as const;
const backend = { host: 'be1', unit: backendUnit } as const;

export const unitSetupBreaks: readonly Break[] = [
  {
    ...gateway,
    id: 'SYS-27',
    what: 'a condition in a drop-in is not met, so systemd skips the start',
    lines: '[Unit]\nConditionPathExists=/etc/viworks/enabled\n',
    answer: cause('SYS-27'),
    shows: { ActiveState: 'inactive', Result: 'success' },
  },
  {
    ...gateway,
    id: 'SYS-28',
    what: 'a drop-in adds a second ExecStart=, and the unit was stopped and started',
    lines: '[Service]\nExecStart=/usr/bin/node /x.js\n',
    answer: cause('SYS-28'),
    shows: { LoadState: 'bad-setting', ActiveState: 'inactive' },
    act: `systemctl stop ${gatewayUnit}; systemctl start ${gatewayUnit}`,
  },
  {
    ...gateway,
    id: 'SYS-28-LATER',
    what: 'a drop-in adds a second ExecStart=, and the old process runs on',
    lines: '[Service]\nExecStart=/usr/bin/node /x.js\n',
    answer: { kind: 'latent', code: 'SYS-28' },
    shows: { LoadState: 'bad-setting', ActiveState: 'active' },
    act: 'true',
  },
  {
    ...gateway,
    id: 'SYS-29',
    what: 'NODE_OPTIONS of a drop-in is refused by the runtime',
    lines: '[Service]\nRestartSec=1\nEnvironment=NODE_OPTIONS=--max-old-space=512\n',
    answer: cause('SYS-29'),
    shows: { ExecMainStatus: '9' },
  },
  {
    ...backend,
    id: 'SYS-29-BE',
    what: "a module of the backend's PERL5OPT is not there",
    lines: '[Service]\nRestartSec=1\nEnvironment=PERL5OPT=-MNope\n',
    answer: cause('SYS-29'),
    shows: { ExecMainStatus: '2' },
  },
  {
    ...gateway,
    id: 'SYS-11',
    what: 'a required unit does not exist',
    lines: '[Unit]\nRequires=nope.service\n',
    answer: cause('SYS-11'),
    shows: { ActiveState: 'inactive' },
    act: `systemctl stop ${gatewayUnit}; systemctl start ${gatewayUnit}`,
  },
  {
    ...gateway,
    id: 'SYS-25',
    what: 'the user of the unit does not exist',
    lines: '[Service]\nRestartSec=1\nUser=nobody2\n',
    answer: cause('SYS-25'),
    shows: { ExecMainStatus: '217' },
  },
  {
    ...gateway,
    id: 'SYS-30',
    what: 'a command before the start fails',
    lines: '[Service]\nRestartSec=1\nExecStartPre=/usr/bin/test -e /nope\n',
    answer: cause('SYS-30'),
    shows: { Result: 'exit-code' },
  },
  {
    ...gateway,
    id: 'SYS-31',
    what: 'PrivateNetwork= keeps the agent off the network',
    lines: '[Service]\nPrivateNetwork=yes\n',
    answer: cause('SYS-31'),
    shows: { ActiveState: 'active', SubState: 'running' },
  },
  {
    ...gateway,
    id: 'SYS-35',
    what: 'memory may not be executed, and the runtime is killed',
    lines: '[Service]\nRestartSec=1\nMemoryDenyWriteExecute=yes\n',
    answer: cause('SYS-35'),
    shows: { ExecMainStatus: '5' },
  },
].map((fault) => dropIn(fault as Fault));
