// Tries an edit of a unit's files without making it: in a mount namespace of its own the edited copies lie over the files, and
// `systemd-analyze verify` reads the unit. When the shell ends the namespace is gone; the host's files, its mounts and its systemd are as before.
import { quoteWord } from '../../agents/runtime/index.ts';
import type { NginxTest } from '../engine/index.ts';
import type { Section } from './script.ts';

/** One edit of one unit; `sed` holds the arguments that stand before the file. */
export interface UnitTrial {
  readonly code: string;
  readonly unit: string;
  readonly edits: readonly { readonly sed: readonly string[]; readonly path: string }[];
}

const VERIFY = 'systemd-analyze verify --man=no "$1"';

/** The section that tries one edit; its output is what systemd says of the unit before it and with it. */
export function unitTrialSection({ code, unit, edits }: UnitTrial): Section {
  const copies = edits.map(
    ({ sed, path }, index) =>
      `[ -f /mnt/${index} ] || cat ${quoteWord(path)} >/mnt/${index} || exit 96
sed -i ${sed.map(quoteWord).join(' ')} /mnt/${index} && mount --bind /mnt/${index} ${quoteWord(path)} || exit 96`,
  );
  const inner = [
    'mount --make-rprivate / && mount -t tmpfs -o size=8m,mode=700 none /mnt || exit 96',
    `${VERIFY} >/mnt/out 2>&1; echo "@before $?"; cat /mnt/out`,
    ...copies,
    `${VERIFY} >/mnt/out 2>&1; echo "@after $?"; cat /mnt/out`,
  ].join('\n');
  return {
    id: `unit.trial.${code}`,
    title: 'the edit, tried on a copy',
    body: `[ "$(id -u)" = 0 ] || { echo '!permission trying an edit needs root'; return; }
have unshare || { echo '!tool unshare'; return; }
have systemd-analyze || { echo '!tool systemd-analyze'; return; }
[ -d /mnt ] || { echo '!tool there is no /mnt to keep a copy in'; return; }
F=$($T systemctl show -p FragmentPath --value ${quoteWord(unit)})
[ -f "$F" ] || { echo '!tool the unit has no file'; return; }
$T unshare -m sh -c ${quoteWord(inner)} sh "$F" 2>&1
[ $? != 96 ] || echo '!tool this host gives no mount namespace of its own'`,
  };
}

/** Refused is what systemd complains of with the edit, about this unit or in words that it did not have before. Throws for a trial that did not end. */
export function parseUnitTrial(text: string, unit: string): NginxTest {
  const [, said = '', code = '', output = ''] = /^@before \d+\n([\s\S]*?)^@after (\d+)\n?([\s\S]*)$/m.exec(text) ?? [];
  if (code === '') throw new Error(text.slice(0, 200) || 'systemd-analyze said nothing');
  const before = new Set(said.split('\n'));
  const complaints = output.split('\n').filter((line) => line !== '' && (line.includes(unit) || !before.has(line)));
  return { ok: code === '0' || complaints.length === 0, output: complaints.join('\n') };
}
