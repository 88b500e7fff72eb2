// What the management plane may do to the doctor's sight; traffic flows on.
import { upgradeThroughNginx } from '../witness.ts';
import type { Break } from './break.ts';

export const sshBreaks: readonly Break[] = [
  {
    id: 'SSH-02',
    what: 'the backend host shows another host key',
    form: 'systemd',
    inject: async (bench) => {
      await bench.write('be1', '/etc/ssh/sshd_config.d/lab.conf', 'HostKey /etc/ssh/lab_other_key\n');
      await bench.run(
        'be1',
        "rm -f /etc/ssh/lab_other_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/lab_other_key; systemctl restart ssh",
      );
    },
    witness: async (bench) =>
      (
        await bench.attempt(
          'be1',
          'ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | grep -qF "$(cut -d" " -f2 /etc/ssh/lab_other_key.pub)"',
        )
      ).code === 0
        ? 'sshd shows the other key'
        : undefined,
    mend: async (bench) => {
      await bench.run('be1', 'rm -f /etc/ssh/lab_other_key /etc/ssh/lab_other_key.pub; systemctl restart ssh');
    },
  },
  {
    id: 'SSH-03',
    what: 'sshd allows one session a connection',
    form: 'systemd',
    inject: async (bench) => {
      await bench.write('be1', '/etc/ssh/sshd_config.d/lab.conf', 'MaxSessions 1\n');
      await bench.run('be1', 'systemctl restart ssh');
    },
    witness: async (bench) =>
      (await bench.run('be1', 'sshd -T')).includes('maxsessions 1\n') ? 'sshd -T says maxsessions 1' : undefined,
    mend: async (bench) => {
      await bench.run('be1', 'systemctl restart ssh');
    },
  },
  {
    id: 'SSH-01',
    what: 'the backend host does not take the key any more',
    form: 'systemd',
    inject: (bench) => bench.write('be1', '/root/.ssh/authorized_keys', ''),
    witness: async (bench) => {
      const empty = (await bench.run('be1', 'wc -c < /root/.ssh/authorized_keys')).trim() === '0';
      return empty && (await upgradeThroughNginx(bench)) === 101
        ? 'no key is authorized, and traffic flows'
        : undefined;
    },
  },
];
