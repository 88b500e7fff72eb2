// Help that was rendered when the program was built: `viworks doctor --help` must not load the doctor to say what it can do.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Name of the index beside the bundle: command path (`tasks logs`) → its help. */
export const HELP_INDEX = 'help.json';

/** The stored help that a command line asks for; undefined when it asks for none, or when there is no index (from source). */
export function storedHelp(argv: readonly string[], directory: string): string | undefined {
  const words = helpWords(argv);
  if (!words) return undefined;
  let index: Readonly<Record<string, string>>;
  try {
    index = JSON.parse(readFileSync(join(directory, HELP_INDEX), 'utf8')) as Record<string, string>;
  } catch {
    return undefined;
  }
  return words.length > 0 && Object.hasOwn(index, words.join(' ')) ? index[words.join(' ')] : undefined;
}

// Only what cannot be misread: words, then --help, and nothing else. The rest is for the command itself to understand.
function helpWords(argv: readonly string[]): readonly string[] | undefined {
  const words = argv[0] === 'help' ? argv.slice(1) : argv.slice(0, -1);
  const asked = argv[0] === 'help' || argv.at(-1) === '--help' || argv.at(-1) === '-h';
  return asked && words.every((word) => /^[a-z-]+$/.test(word) && !word.startsWith('-')) ? words : undefined;
}
