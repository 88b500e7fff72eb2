// What smol-toml says about a text, as a closed set: its errors have a place and a sentence, and no code. The one place that knows its wording;
// toml-words.test.ts holds it to the sentences of the installed version.

/** What kind of mistake the parser ran into. */
export type SyntaxKind =
  | 'control-character'
  | 'open-string'
  | 'open-bracket'
  | 'twice'
  | 'escape'
  | 'leading-zero'
  | 'too-large'
  | 'key'
  | 'no-key'
  | 'value'
  | 'number'
  | 'rest-of-line'
  /** Its sentence is good enough as it is. */
  | 'other';

/** By sentence. */
export const SMOL_TOML: Readonly<Record<string, SyntaxKind>> = {
  'control characters are not allowed in comments': 'control-character',
  'control characters are not allowed in strings': 'control-character',
  'document contains an unsafe property': 'other',
  'document contains excessively nested structures. aborting.': 'other',
  'each key-value declaration must be followed by an end-of-line': 'rest-of-line',
  'expected comma or end of structure': 'open-bracket',
  'expected end of table array declaration': 'other',
  'illegal character in key': 'key',
  'illegal character in numeric literal': 'number',
  'illegal empty bare key': 'key',
  'illegal leading zero': 'leading-zero',
  'illegal quoted key: multiline strings are not allowed': 'other',
  'illegal underscore': 'other',
  'incomplete key-value: cannot find end of key': 'value',
  'integer value cannot be represented losslessly': 'too-large',
  'invalid date': 'number',
  'invalid date-time: date part is malformed': 'number',
  'invalid date-time: time part is malformed': 'number',
  'invalid escape: only line-ending whitespace may be escaped': 'escape',
  'invalid non-hex character in unicode escape': 'escape',
  'invalid unicode escape': 'escape',
  'invalid value': 'value',
  'trying to redefine an already defined table or value': 'twice',
  'trying to redefine an already defined value': 'twice',
  'unexpected end of key': 'no-key',
  'unfinished array': 'open-bracket',
  'unfinished numeric value': 'number',
  'unfinished string': 'open-string',
  'unfinished table': 'open-bracket',
  'unrecognised escape sequence': 'escape',
};

/** The sentence in an error's text, and its kind. */
export function syntaxOf(error: Error): { readonly said: string; readonly kind: SyntaxKind } {
  const said = error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '') ?? '';
  return { said: said || 'not valid TOML', kind: SMOL_TOML[said] ?? 'other' };
}
