// Words for a shell, quoted in one place. Pure.

/** One word of a POSIX shell's command line; also what fish and csh read as one word, since only single quotes are used. */
export function quoteWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
