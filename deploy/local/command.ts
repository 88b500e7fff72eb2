// `viworks up`: the whole system on this machine.
import type { CommandSpec } from '../../agents/runtime/index.ts';
import { PORTS } from './places.ts';

const ports = Object.values(PORTS).map(({ option, fallback, what }) => ({
  flags: `${option} <port>`,
  help: `port of ${what} (default: ${fallback})`,
}));

export const upCommand: CommandSpec = {
  name: 'up',
  summary: 'the whole system on this machine, without root',
  description:
    'Starts a backend, a launcher and a gateway on this machine, behind TLS: a private nginx rendered from the same ' +
    'templates as on a managed host, or the backend’s own front where there is no nginx. Everything listens on loopback. ' +
    'State is in ~/.local/state/viworks/up; a context for the other commands goes to ~/.config/viworks.',
  options: [
    { flags: '--once', help: 'start, look, run one command, stop; exit with the doctor’s code' },
    { flags: '--gateway-id <id>', help: 'name of this machine’s gateway (default: this-machine)' },
    { flags: '--no-nginx', help: 'let the backend terminate TLS itself' },
    ...ports,
  ],
  examples: [
    { command: 'viworks up', does: 'until Ctrl-C' },
    { command: 'viworks up --once', does: 'does it work here? Leaves no process behind' },
    { command: 'viworks up --api-port 18080 --tls-port 19443', does: 'where the usual ports are taken' },
  ],
  exitCodes: [
    { code: 0, means: 'stopped as asked; with --once: healthy' },
    { code: 1, means: 'a part did not start, or ended unexpectedly' },
    { code: 3, means: 'with --once: the doctor found a fault' },
    { code: 64, means: 'usage, a port is taken, or it is running already' },
  ],
  async run(invocation) {
    const { runUp } = await import('./up.ts');
    return await runUp(invocation);
  },
};
