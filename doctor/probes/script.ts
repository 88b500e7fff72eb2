// Makes one POSIX sh program of many read-only sections, framed by a nonce, so that a whole round costs one channel.
// It is piped into `sh -s`: nothing is written on the host, and banners, odd exit codes or binary output cannot confuse the frames.
import { PROOF } from './proof.ts';

/** One part of a round: a body of shell text whose output is captured, capped and framed. */
export interface Section {
  /** `host.identity`; also the id of the probe in the event stream. */
  readonly id: string;
  readonly title: string;
  readonly body: string;
  /** Output beyond this is cut off on the host, in bytes. */
  readonly capBytes?: number;
  /** What is kept of the output, where that is less than all of it: the rest is neither parsed nor recorded. */
  readonly keep?: (text: string, nonce: string) => string;
  /** Shell functions that the body needs; sections of one round may share them. */
  readonly prelude?: string;
}

/** Output of one section beyond this is never of use to a parser or a reader, in bytes. */
const DEFAULT_CAP_BYTES = 64 * 1024;

/** How long one command inside a section may take where the host has `timeout`, in seconds: the probe budget. */
const COMMAND_SECONDS = 3;

// /usr/sbin is not in the PATH of an ordinary user on Debian, and ss, nginx and ip live there.
const PROLOGUE = `LC_ALL=C; export LC_ALL; unset LANG LANGUAGE
PATH=\${PATH:-/bin}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin; export PATH
T=; command -v timeout >/dev/null 2>&1 && T='timeout ${COMMAND_SECONDS}'
# With fractions where date knows them: a file that was changed within the second of a reload must not look older.
mtime() { date -r "$1" +%s.%N 2>/dev/null || echo -; }
have() { command -v "$1" >/dev/null 2>&1; }
emit() {
  if [ "\${#o}" -gt "$3" ]; then
    printf '\\n@%s %s %s %s\\n' "$N" "$1" "$2" "$3+"
    printf '%s' "$o" | head -c "$3"
  else
    printf '\\n@%s %s %s %s\\n%s' "$N" "$1" "$2" "\${#o}" "$o"
  fi
}`;

/**
 * The program for one round. `nonce` must be unguessable: it is what separates our frames from what the host prints.
 */
export function bundleScript(sections: readonly Section[], nonce: string): string {
  const preludes = new Set(sections.flatMap(({ prelude }) => prelude ?? []));
  const functions = sections.map((section, index) => `s${index}() {\n${section.body}\n}`);
  const calls = sections.map(
    (section, index) => `o=$(s${index} 2>&1); emit ${section.id} $? ${section.capBytes ?? DEFAULT_CAP_BYTES}`,
  );
  // Everything is read before the first command runs, and commands get an empty stdin: none can eat the rest of the program.
  return `N=${nonce}\n${[PROLOGUE, PROOF, ...preludes, ...functions].join('\n')}\nmain() {\n${calls.join('\n')}\nprintf '\\n@%s end 0 0\\n' "$N"\n}\nmain </dev/null\nexit 0\n`;
}

/** The host itself ends a round that hangs, also when nobody is there any more to end it, in seconds. */
const ROUND_SECONDS = 15;

/** What is executed on the host: a shell that reads the program; as root through sudo only if that needs no password. */
export function shellCommand(options: { readonly sudo: boolean }): string {
  const shell = (prefix: string): string =>
    `if command -v timeout >/dev/null 2>&1; then exec ${prefix}timeout ${ROUND_SECONDS} sh -s; else exec ${prefix}sh -s; fi`;
  return options.sudo ? `if sudo -n true 2>/dev/null; then ${shell('sudo -n ')}; else ${shell('')}; fi` : shell('');
}
