// What secrets look like within one line: tokens by their prefix, and values by the name that stands before them. Pure.
// Every search goes forward from a literal and goes on behind what it looked at, so that the work grows with the line and not faster.

/** A part of a line, from the first character of the secret to the one behind it. */
export interface Cut {
  readonly from: number;
  readonly to: number;
  /** The value goes on in the lines below: until this text, while they are indented deeper, or for one line. */
  readonly open?:
    | { readonly until: string }
    | { readonly deeper: 'all' | 'bare'; readonly column: number }
    | { readonly next: true };
}

/** One kind of secret. */
export interface Shape {
  /** Matches wherever a line may hold one; global. */
  readonly may: RegExp;
  /** Adds what one line holds. */
  find(line: string, cuts: Cut[]): void;
}

interface Prefix {
  readonly text: string;
  /** Characters that must follow at least. */
  readonly least: number;
}

// Tokens that say themselves what they are. `|` separates names with the same least length behind them.
const prefixes: readonly Prefix[] = [
  ['vw_', 16],
  ['ghp_|gho_|ghu_|ghs_|ghr_|github_pat_|glpat-|glptt-|gldt-|glrt-|glcbt-', 16],
  ['xoxa-|xoxb-|xoxe-|xoxp-|xoxr-|xoxs-|xapp-', 8],
  ['sk_live_|sk_test_|rk_live_|rk_test_|whsec_|shpat_|shpss_', 8],
  ['sk-ant-|sk-proj-|sk-|hf_|dop_v1_|doo_v1_|dckr_pat_|tskey-|lin_api_|GOCSPX-|PMAK-|NRAK-|ATATT3|ATBB', 16],
  ['npm_|pypi-', 20],
  ['AKIA|ASIA|AROA', 16],
  ['AIza', 30],
  ['ya29.|hvs.|hvb.|hvr.', 16],
  ['SG.', 30],
  ['AGE-SECRET-KEY-|AGE-PLUGIN-', 16],
  ['hooks.slack.com/services/|discord.com/api/webhooks/|outlook.office.com/webhook/', 8],
  ['eyJ', 17],
  // PEM and DER of private keys as base64, also without their first line.
  [
    'LS0tLS1CRUdJTi|b3BlbnNzaC1rZXktdjE|MIIEvQIBADAN|MIIEvgIBADAN|MIIEpAIBAAK|MIIEowIBAAK|MIIEogIBAAK|MIIJKAIBAAK|MIIJQgIBAD',
    16,
  ],
  ['MHcCAQEE|MHQCAQEE|MIGHAgEA|MIGTAgEA|MIGkAgEB|MC4CAQAw|MIIFHDBOBgkq|MIIFHzBJBgkq', 16],
  // crypt(3), htpasswd and LDAP hashes.
  ['$y$|$gy$|$7$|$6$|$5$|$1$|$2$|$2a$|$2b$|$2x$|$2y$|$apr1$|$sha1$|$md5$|$scrypt$|$argon2|$pbkdf2|$bcrypt', 6],
  ['{SHA}|{SSHA}|{SSHA512}|{MD5}|{SMD5}|{CRYPT}|{PBKDF2}|{ARGON2}', 6],
].flatMap(([names, least]) =>
  String(names)
    .split('|')
    .map((text) => ({ text, least: Number(least) })),
);

const leastOf = new Map(prefixes.map(({ text, least }) => [text, least]));
const prefixPattern = new RegExp(
  [...leastOf.keys()]
    .sort((a, b) => b.length - a.length)
    .map((text) => text.replace(/[$.{}]/g, '\\$&'))
    .join('|'),
  'g',
);
const run = /[\w\-.~+/=$,*]*/y;

function runEnd(line: string, from: number): number {
  run.lastIndex = from;
  run.test(line);
  return Math.max(from, run.lastIndex);
}

function prefixedCuts(line: string, cuts: Cut[]): void {
  prefixPattern.lastIndex = 0;
  for (let hit = prefixPattern.exec(line); hit; hit = prefixPattern.exec(line)) {
    const [prefix] = hit;
    const from = hit.index;
    const to = runEnd(line, from + prefix.length);
    const lead = line.slice(Math.max(0, from - 12), from);
    const apart = !/\w$/.test(lead) || escaped.test(lead) || /^[${]/.test(prefix);
    if (apart && to - from - prefix.length >= (leastOf.get(prefix) ?? 0) && plausible(line.slice(from, to), prefix))
      cuts.push({ from, to });
    prefixPattern.lastIndex = Math.max(to, from + prefix.length);
  }
}

/** Tokens by their prefix. */
export const prefixed: Shape = { may: new RegExp(prefixPattern), find: prefixedCuts };

/** Ends in a colour or in an escape: its last letter is no letter of a word. */
const escaped = /(?:\u001b\[[\d;]{0,8}m|\\[nrtbf]|%[\dA-Fa-f]{2}|\\u[\da-fA-F]{4})$/;

function plausible(token: string, prefix: string): boolean {
  if (prefix === 'eyJ') return token.includes('.');
  if (/^A[KSR]/.test(prefix)) return /^[A-Z0-9]{20}/.test(token);
  // A certificate in base64 is public.
  if (prefix.startsWith('LS0t')) return !token.startsWith('LS0tLS1CRUdJTiBDRVJUSUZJ');
  // Names of units, files and metrics are words: a token has digits or capitals.
  return /^[${]|[.A-Z\d]/.test(token.slice(/^[${]/.test(prefix) ? 0 : prefix.length));
}

const scheme = /\b(basic|bearer|negotiate)[ \t]{1,8}/gi;

/** `Basic dXNlcjpwdw==`, `Bearer …` wherever they stand. */
export const schemes: Shape = { may: new RegExp(scheme), find: schemeCuts };

function schemeCuts(line: string, cuts: Cut[]): void {
  scheme.lastIndex = 0;
  for (let hit = scheme.exec(line); hit; hit = scheme.exec(line)) {
    const from = scheme.lastIndex;
    const to = runEnd(line, from);
    const value = line.slice(from, Math.min(to, from + 64));
    if (to - from >= 8 && /[\d=+/]|[a-z][A-Z]/.test(value) && !value.startsWith('$')) cuts.push({ from, to });
    scheme.lastIndex = Math.max(to, from);
  }
}

const urlEnd = /[^\s"'<>`\\]*/y;

/** User and password in a URL, also where the password holds `/` or `@`, and in the address that another one's query holds. */
export const urls: Shape = { may: /:\/\//g, find: urlCuts };

function urlCuts(line: string, cuts: Cut[]): void {
  for (let at = line.indexOf('://'); at >= 0; ) {
    urlEnd.lastIndex = at + 3;
    urlEnd.test(line);
    const to = Math.max(at + 3, urlEnd.lastIndex);
    // Within the address only: a search through the line for each address would be quadratic.
    const address = line.slice(at + 3, to);
    const host = address.lastIndexOf('@');
    const inner = host < 0 ? -1 : address.lastIndexOf('://', host);
    for (const from of host < 0 ? [] : inner < 0 ? [0] : [0, inner + 3]) {
      if (!holdsSecret(address.slice(from, host))) continue;
      cuts.push({ from: at + 3 + from, to: at + 3 + host });
      break;
    }
    at = line.indexOf('://', to);
  }
}

function holdsSecret(user: string): boolean {
  if (!user.includes(':')) return /^[\w-]{20,4096}$/.test(user);
  // A port and a path, or a path before any colon: the @ is not the end of a user.
  return !/^[\w.-]{1,255}:\d{1,5}[/?#]/.test(user) && !/^[^:/]{0,4096}\//.test(user);
}

// user:password as a program takes it, and passwords that follow a short option of a program that is known for it.
const commands: readonly (readonly [RegExp, RegExp])[] = [
  [
    /\b(?:curl|wget|https?|xh)\b/,
    /\s(?:-[a-zA-Z]{0,8}[uU][ =]?|--(?:proxy-)?user[ =])["']?[^\s:"']{0,128}:([^\s"']{1,512})/g,
  ],
  [/\b(?:mysql\w{0,16}|mariadb\S{0,16})\b/, /\s-p([^\s]{1,512})/g],
  [/\b(?:sshpass|docker|podman|helm|oc)\b/, /\s-p[ =]?["']?([^\s"']{3,512})/g],
  [/\bredis-cli\b/, /\s-a ["']?([^\s"']{1,512})/g],
  [/\bldap\w{1,16}\b/, /\s-w ["']?([^\s"']{1,512})/g],
  [/\b(?:smbclient|rpcclient|net)\b/, /\s-U ["']?[^\s%"']{1,128}%([^\s"']{1,512})/g],
  [/\bhtpasswd\b/, /\s-[a-zA-Z]{0,8}b[a-zA-Z]{0,8} \S{1,256} \S{1,256} ["']?([^\s"']{1,512})/g],
  [/\bpass:/, /\bpass:([^\s"']{1,512})/g],
  [/\bpassword\b/, /\blogin \S{1,128} password (\S{1,512})/g],
];

/** Passwords on command lines. */
export const programs: readonly Shape[] = commands.map(([program, pattern]) => ({
  may: new RegExp(program, 'g'),
  find: (line, cuts) => valuesOf(pattern, line, cuts),
}));

// /etc/shadow, and htpasswd with the old crypt.
const shadow = /^[\w.-]{1,64}:([^:*!\s][^:\s]{1,256})(?=:\d{0,6}:\d{0,6}:\d{0,6}:)/g;
const oldCrypt = /^[\w.-]{1,64}:([./\dA-Za-z]{13})$/g;

/** Lines of files of accounts. */
export const accounts: Shape = {
  may: /^[\w.-]{1,64}:[^:*!\s]/gm,
  find(line, cuts) {
    valuesOf(shadow, line, cuts);
    valuesOf(oldCrypt, line, cuts);
  },
};

/** The last group of each match, with which it ends. */
function valuesOf(pattern: RegExp, line: string, cuts: Cut[]): void {
  pattern.lastIndex = 0;
  for (let hit = pattern.exec(line); hit; hit = pattern.exec(line)) {
    const to = hit.index + hit[0].length;
    cuts.push({ from: to - (hit[1] ?? '').length, to });
  }
}
