import { BUILD } from '../agents/runtime/index.ts';
import { COMMANDS } from './commands.ts';
export async function runCli(argv: readonly string[]): Promise<number> {
  if (argv[0] === '--version') {
    process.stdout.write(`viworks ${BUILD.version} (${BUILD.revision})\n`);
    return 0;
  }
  const entry = COMMANDS.find((c) => c.name === argv[0]);
  const spec = await entry?.load();
  process.stdout.write(`${spec?.name}\n`);
  return 0;
}
