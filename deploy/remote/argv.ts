// Pure builders of remote command lines.
import { quoteWord } from '../../agents/runtime/index.ts';

/** A command line that runs exactly these arguments. */
export function commandLine(argv: readonly string[]): string {
  return argv.map(quoteWord).join(' ');
}

/** A command line that runs a script in `sh`, whatever the login shell is. */
export function scriptLine(script: string): string {
  return commandLine(['/bin/sh', '-c', script]);
}
