// Makes the index of stored help. Runs once, in the build: it loads every room.
import type { CommandSpec } from '../agents/runtime/index.ts';
import { COMMANDS } from './commands.ts';
import { parseCommand } from './parse.ts';

/** Help of every command and subcommand, by its path. */
export async function renderHelpIndex(): Promise<Record<string, string>> {
  const index: Record<string, string> = {};
  for (const entry of COMMANDS) {
    const spec = await entry.load();
    const visit = (command: CommandSpec, path: readonly string[]): void => {
      const parsed = parseCommand(spec, [...path.slice(1), '--help']);
      if (parsed.kind === 'text') index[path.join(' ')] = parsed.text;
      for (const child of command.subcommands ?? []) visit(child, [...path, child.name]);
    };
    visit(spec, [entry.name]);
  }
  return index;
}
