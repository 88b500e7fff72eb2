// /usr/local/lib/viworks/host: the one program that the deployer runs on a host, bundled into one file and started by the
// shipped runtime. Also usable there by hand: `host status`.
import process from 'node:process';
import { describe, systemClock } from '../../agents/runtime/index.ts';
import { readFacts } from './facts.ts';
import { serveSession } from './session.ts';

const USAGE = 'usage: host session WORD | host status\n';

async function main(args: readonly string[]): Promise<number> {
  const [verb, word] = args;
  // A dropped connection is seen as the end of the input; these signals must not cut an activation in half.
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGPIPE'] as const) process.on(signal, () => undefined);
  if (verb === 'session' && word !== undefined && /^[A-Za-z0-9]{8,64}$/.test(word)) {
    return serveSession({ word, input: process.stdin, output: process.stdout, clock: systemClock });
  }
  if (verb === 'status') {
    const { manifest, ...facts } = await readFacts();
    process.stdout.write(`${JSON.stringify({ release: manifest?.id ?? null, ...facts }, null, 2)}\n`);
    return 0;
  }
  process.stderr.write(USAGE);
  return 64;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
    // Nothing is left to do: a descriptor that a child inherited must not keep the channel open.
    process.stdin.destroy();
  },
  (error: unknown) => {
    process.stderr.write(`viworks host: ${describe(error)}\n`);
    process.exitCode = 70;
  },
);
