// `npm run -s lab -- …`: the lab at the command line. Progress goes to stderr; stdout carries only what was asked for.
import { spawn } from 'node:child_process';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { breaks, findBreak } from './breaks/index.ts';
import { leaderOf } from './host.ts';
import { openLab } from './index.ts';
import { bringDown, readState } from './lab.ts';
import { filesOf, type HostName, hostNames, type Layout, layoutOf } from './layout.ts';

const usage = `usage: npm run -s lab -- COMMAND [--name NAME]

  up [--docker]       two bare Debian hosts, be1 and gw1 (--docker: be1 runs nginx and the backend in containers)
  down                end every process, mount and link of it
  status              is it up, where, and what is broken in it
  reset HOST          throw the host's disk away and boot it bare
  reboot HOST         switch the host off and on
  install-old         install a working system of the old kind, which viworks did not make, by hand
  breaks              list what can be broken
  break ID...         inject a fault, and have an independent witness confirm it
  mend [ID]           take the faults (or one) back
  ssh HOST [-- CMD]   a shell on the host, or one command (--user op: as the ordinary user)
  exec -- CMD         a command inside the lab's network
`;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort(new Error(signal)));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    docker: { type: 'boolean', default: false },
    name: { type: 'string', default: process.env.VIWORKS_LAB ?? 'lab' },
    user: { type: 'string', default: 'root' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const say = (line: string) => process.stderr.write(`lab: ${line}\n`);

async function main(): Promise<number> {
  const [command, ...rest] = positionals;
  if (values.help || command === undefined) {
    process.stdout.write(usage);
    return values.help ? 0 : 64;
  }
  const layout = layoutOf(values.name);
  const handler = handlers[command];
  if (!handler) {
    say(`there is no command ${JSON.stringify(command)}\n\n${usage}`);
    return 64;
  }
  return handler(layout, rest);
}

type Handler = (layout: Layout, rest: readonly string[]) => Promise<number>;

const open = (docker: boolean, tell = say) =>
  openLab({ name: values.name, docker, say: tell, signal: interrupted.signal });

/** The lab as it stands; refuses to build one only because somebody asked about it. */
async function standing(layout: Layout) {
  const state = await readState(layout);
  if (!state) throw new Error('the lab is not up; `npm run -s lab -- up` brings it up');
  // That it is up is news only to whoever asked for that.
  return open(state.docker, (text) => text !== `lab ${layout.name} is up` && say(text));
}

function hostNamed(name: string | undefined): HostName {
  const host = hostNames.find((known) => known === name);
  if (!host) throw new Error(`name a host: ${hostNames.join(' or ')}`);
  return host;
}

const handlers: Readonly<Record<string, Handler>> = {
  up: async () => {
    const lab = await open(values.docker);
    process.stdout.write(`${lab.inventoryPath}\n`);
    return 0;
  },
  down: async (layout) => {
    await bringDown(layout);
    say(`lab ${layout.name} is down`);
    return 0;
  },
  status: async (layout) => {
    const state = await readState(layout);
    if (!state) {
      process.stdout.write(`lab ${layout.name}: down\n`);
      return 3;
    }
    process.stdout.write(`lab ${layout.name}: ${state.docker ? 'docker form, ' : ''}${filesOf(layout).inventory}\n`);
    for (const host of hostNames) {
      const leader = await leaderOf(layout, host);
      process.stdout.write(`  ${host}  ${state.slice.hosts[host]}  ${leader ? `up (process ${leader})` : 'off'}\n`);
    }
    process.stdout.write(`  broken: ${state.broken.join(' ') || 'nothing'}\n`);
    return 0;
  },
  'install-old': async (layout) => {
    const lab = await standing(layout);
    await lab.installOld();
    say('the old system is installed, and its gateway is connected');
    return 0;
  },
  reset: async (layout, [name]) => {
    const lab = await standing(layout);
    await lab.reset(hostNamed(name));
    return 0;
  },
  reboot: async (layout, [name]) => {
    const lab = await standing(layout);
    await lab.reboot(hostNamed(name));
    return 0;
  },
  breaks: async () => {
    for (const entry of breaks) process.stdout.write(`${entry.id.padEnd(22)} ${entry.what}\n`);
    return 0;
  },
  break: async (layout, ids) => {
    if (ids.length === 0) throw new Error('name what to break; `npm run -s lab -- breaks` lists it');
    for (const id of ids) findBreak(id);
    const lab = await standing(layout);
    const seen = await lab.break(...ids);
    ids.forEach((id, at) => void say(`${id} is in: ${seen[at]}`));
    return 0;
  },
  mend: async (layout, [id]) => {
    const lab = await standing(layout);
    const mended = await lab.mend(id);
    say(mended.length > 0 ? `mended ${mended.join(' ')}` : 'nothing was broken');
    return 0;
  },
  ssh: async (layout, [name, ...command]) => {
    const lab = await standing(layout);
    return run(['ssh', ...lab.sshArguments(hostNamed(name), values.user), ...command]);
  },
  exec: async (layout, command) => {
    if (command.length === 0) throw new Error('name a command: npm run -s lab -- exec -- CMD');
    return run(['nsenter', `--net=/run/netns/${layout.namespace}`, ...command]);
  },
};

/** Hands the terminal to a command and comes back with its exit code. */
function run(command: readonly string[]): Promise<number> {
  const [file = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 130 : 1)));
  });
}

process.exitCode = await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  return interrupted.signal.aborted ? 130 : 1;
});
