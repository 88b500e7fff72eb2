// Tries an edit of nginx's files without making it: in a mount namespace of its own the edited copies lie over the files, and `nginx -t` reads
// them. When the shell ends the namespace is gone; the host's files, its mounts and its nginx are as before.
import { quoteWord } from '../../agents/runtime/index.ts';
import type { NginxPlace } from './ask.ts';
import { nginxPrelude } from './nginx-shell.ts';
import type { Section } from './script.ts';

export interface TrialFile {
  readonly path: string;
  /** Lines that give way, from `line` on (counted from 1), top to bottom. */
  readonly changes: readonly {
    readonly line: number;
    readonly remove: readonly string[];
    readonly insert: readonly string[];
  }[];
}

/** One edit, and where the nginx that it is for is looked for. */
export interface Trial {
  readonly code: string;
  readonly entry: string;
  readonly files: readonly TrialFile[];
  readonly place: NginxPlace;
}

/** The section that tries one edit; its output is nginx's own. The prelude proves whose nginx it is. */
export function trialSection({ code, entry, files, place }: Trial): Section {
  const copies = files.map((file, index) => copy(file, index));
  const inner = [
    'mount --make-rprivate / && mount -t tmpfs -o size=8m,mode=700 none /mnt || exit 96',
    ...copies,
    `exec nginx -t -c ${quoteWord(entry)}`,
  ].join('\n');
  return {
    id: `nginx.trial.${code}`,
    prelude: nginxPrelude(place),
    title: 'the edit, tried on a copy',
    body: `[ "$(id -u)" = 0 ] || { echo '!permission trying an edit needs root'; return; }
have unshare || { echo '!tool unshare'; return; }
have nginx || { echo '!tool nginx'; return; }
nginx_entry; [ "$E" = ${quoteWord(entry)} ] || { echo '!tool nginx runs with another main file by now'; return; }
[ -d /mnt ] || { echo '!tool there is no /mnt to keep a copy in'; return; }
[ -n "$NP" ] || { echo '!tool nginx does not run, and testing would create its pid file'; return; }
$T unshare -m sh -c ${quoteWord(inner)} 2>&1
[ $? != 96 ] || echo '!tool this host gives no mount namespace of its own'`,
  };
}

/** From the last change to the first, so that line numbers stay true. */
function copy({ path, changes }: TrialFile, index: number): string {
  const file = `/mnt/${index}`;
  const steps = [...changes].reverse().map(({ line, remove, insert }) => {
    const lines = insert.length > 0 ? `printf '%s\\n' ${insert.map(quoteWord).join(' ')}; ` : '';
    return `{ head -n ${line - 1} ${file}; ${lines}tail -n +${line + remove.length} ${file}; } >${file}.new && mv ${file}.new ${file} || exit 96`;
  });
  return [
    `cat ${quoteWord(path)} >${file} || exit 96`,
    ...steps,
    `mount --bind ${file} ${quoteWord(path)} || exit 96`,
  ].join('\n');
}
