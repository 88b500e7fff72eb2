// Pure builders of remote command lines. Quoting happens here, once, and nowhere else.

/** One word for a POSIX shell; also what fish and csh read as one word, since only single quotes are used. */
export function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line that runs exactly these arguments. */
export function commandLine(argv: readonly string[]): string {
  return argv.map(quoteWord).join(' ');
}

/** A command line that runs a script in `sh`, whatever the login shell is. */
export function scriptLine(script: string): string {
  return commandLine(['/bin/sh', '-c', script]);
}
