// PCRE patterns as JavaScript runs them. What the two engines read differently compiles to nothing: the match is then unknown, never false.

/** Written with the same signs in both engines, or translated; anything else is left alone. */
const foreign = /\\[AGhHKNQERXCzZpP]|\[\[:|\(\?(?![:=!]|<[=!]|P?<[A-Za-z_])|\(\*|[*+?}]\+/;

/** Null for a pattern that only PCRE understands. `(?i)` at the beginning and `(?P<name>` are translated. */
export function compile(source: string, insensitive: boolean): RegExp | null {
  const inline = source.startsWith('(?i)');
  const plain = inline ? source.slice('(?i)'.length) : source;
  if (foreign.test(plain)) return null;
  try {
    return new RegExp(plain.replaceAll('(?P<', '(?<'), insensitive || inline ? 'i' : '');
  } catch {
    return null;
  }
}

/** Splits `~pattern` and `~*pattern`. */
export function readPattern(text: string): { readonly source: string; readonly insensitive: boolean } {
  const insensitive = text.startsWith('~*');
  return { source: text.slice(insensitive ? 2 : 1), insensitive };
}
