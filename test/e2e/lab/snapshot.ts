// What a host is at one moment: its files, units and processes, for the proof that a look at it left nothing behind.
import type { HostName, Lab } from './index.ts';

export interface HostSnapshot {
  readonly files: readonly string[];
  readonly units: readonly string[];
  readonly processes: readonly string[];
}

/** Login records and logs grow with every login, and the agents keep state of their own; everything else has to stay. */
const volatile = [
  '/proc',
  '/sys',
  '/dev',
  '/var/log',
  '/run/log',
  '/run/systemd',
  '/run/user',
  '/run/utmp',
  '/run/udev',
  '/run/motd.dynamic',
  '/var/lib/viworks',
  '/var/lib/systemd',
];

export async function hostSnapshot(lab: Lab, host: HostName): Promise<HostSnapshot> {
  const prune = volatile.map((dir) => `-path ${dir}`).join(' -o ');
  const files = await lab.run(
    host,
    `find / \\( ${prune} \\) -prune -o -type f -printf '%p %s %T@\\n' -o -printf '%p\\n' 2>/dev/null | sort`,
  );
  const units = await lab.run(
    host,
    "systemctl list-units --all --plain --no-legend | grep -vE '^(session-|user|run-user)' | awk '{print $1, $3, $4}' | sort",
  );
  // sshd's children end a moment after the connection; kernel threads of the machine do not show in here.
  const processes = await lab.run(
    host,
    "for i in 1 2 3 4 5 6 7 8 9 10; do pgrep -f 'sshd: .*@' >/dev/null || break; sleep 0.2; done; seen=$(ps -e -o args=); echo \"$seen\" | grep -vE '^(ps|sh|env|sort|/lib/systemd/systemd --user|\\(sd-pam\\))' | sort",
  );
  return { files: files.stdout.split('\n'), units: units.stdout.split('\n'), processes: processes.stdout.split('\n') };
}

/** How often somebody has logged in since the cursor; without one, only where the log ends now. */
export async function loginsSince(
  lab: Lab,
  host: HostName,
  cursor?: string,
): Promise<{ readonly cursor: string; readonly logins: number }> {
  const from = cursor === undefined ? '-n 1' : `--after-cursor='${cursor}'`;
  const log = await lab.run(host, `journalctl -q -u ssh -o cat --show-cursor ${from}`);
  const lines = log.stdout.split('\n');
  return {
    cursor: lines.findLast((line) => line.startsWith('-- cursor: '))?.slice('-- cursor: '.length) ?? '',
    logins: cursor === undefined ? 0 : lines.filter((line) => line.startsWith('Accepted ')).length,
  };
}
