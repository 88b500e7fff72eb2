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
  /** A log that ends now, oldest line first: of a cut one the end is kept, and its whole lines are read. Whatever else is cut is unknown. */
  readonly isTail?: boolean;
  /** What is kept of the output, where that is less than all of it: the rest is neither parsed nor recorded. */
  readonly keep?: (text: string, nonce: string) => string;
  /** Shell functions that the body needs; sections of one round may share them. */
  readonly prelude?: string;
}

/** Output of one section beyond this is never of use to a parser or a reader, in bytes. */
const DEFAULT_CAP_BYTES = 64 * 1024;

/** The exit status of `timeout`, and of a section in which it struck. */
const CUT_SHORT = 124;

/** How long one command inside a section may take where the host has `timeout`, in seconds: the probe budget. */
const COMMAND_SECONDS = 3;

// /usr/sbin is not in the PATH of an ordinary user on Debian, and ss, nginx and ip live there.
const PROLOGUE = `LC_ALL=C; export LC_ALL; unset LANG LANGUAGE
PATH=\${PATH:-/bin}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin; export PATH
T=; command -v timeout >/dev/null 2>&1 && T=limit
# What ends a command early is said beside its output, which may go through any pipe: to the frame, on a descriptor of its own.
exec 9>/dev/null
halved() { printf '\\n@%s halved;' "$N" >&9; }
limit() {
  timeout ${COMMAND_SECONDS} "$@"
  set -- $?
  case $1 in 124|137|139|143) halved;; esac
  return "$1"
}
# The first lines of a list; a longer one is not whole.
first() {
  k=$1
  while IFS= read -r l; do
    [ "$k" -gt 0 ] || { halved; return; }
    printf '%s\\n' "$l"; k=$((k - 1))
  done
}
# With fractions where date knows them: a file that was changed within the second of a reload must not look older.
mtime() { date -r "$1" +%s.%N 2>/dev/null || echo -; }
have() { command -v "$1" >/dev/null 2>&1; }
emit() {
  r=$2
  while case $o in *"$H"*) ;; *) false;; esac; do o=\${o%%"$H"*}\${o#*"$H"}; r=${CUT_SHORT}; done
  if [ "\${#o}" -gt "$3" ]; then
    printf '\\n@%s %s %s %s\\n' "$N" "$1" "$r" "$3+"
    printf '%s' "$o" | $4 -c "$3"
  else
    printf '\\n@%s %s %s %s\\n%s' "$N" "$1" "$r" "\${#o}" "$o"
  fi
}`;

/**
 * The program for one round. `nonce` must be unguessable: it is what separates our frames from what the host prints.
 */
export function bundleScript(sections: readonly Section[], nonce: string): string {
  const preludes = new Set(sections.flatMap(({ prelude }) => prelude ?? []));
  const functions = sections.map((section, index) => `s${index}() {\n${section.body}\n}`);
  const calls = sections.map(
    ({ id, capBytes = DEFAULT_CAP_BYTES, isTail }, index) =>
      `o=$( { s${index} 2>&1; } 9>&1 ); emit ${id} $? ${capBytes} ${isTail ? 'tail' : 'head'}`,
  );
  // Everything is read before the first command runs, and commands get an empty stdin: none can eat the rest of the program.
  return `N=${nonce}\nH='\n@${nonce} halved;'\n${[PROLOGUE, PROOF, ...preludes, ...functions].join('\n')}\nmain() {\n${calls.join('\n')}\nprintf '\\n@%s end 0 0\\n' "$N"\n}\nmain </dev/null\nexit 0\n`;
}

/** The host itself ends a round that hangs, also when nobody is there any more to end it, in seconds. */
const ROUND_SECONDS = 15;

/** What is executed on the host: a shell that reads the program; as root through sudo only if that needs no password. */
export function shellCommand(options: { readonly sudo: boolean }): string {
  const shell = (prefix: string): string =>
    `if command -v timeout >/dev/null 2>&1; then exec ${prefix}timeout ${ROUND_SECONDS} sh -s; else exec ${prefix}sh -s; fi`;
  return options.sudo ? `if sudo -n true 2>/dev/null; then ${shell('sudo -n ')}; else ${shell('')}; fi` : shell('');
}
