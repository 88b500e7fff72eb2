// Ansible from Debian as the peer of the doctor and of the deployer: the same looks, the same files, on the same hosts.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from '../test/e2e/lab/index.ts';

/** A ready Ansible; `looks` and `applies` each run a playbook once and give the milliseconds. */
export interface Ansible {
  looks(): number;
  applies(): number;
  close(): void;
}

const LOOKS = `
- hosts: all
  gather_facts: false
  tasks:
    - command: systemctl show viworks-backend-agent viworks-gateway-agent viworks-launcher nginx
    - command: ss -ltnp
    - command: df -P
    - command: date +%s
    - command: cat /etc/hosts
    - command: journalctl -n 50 -o cat
- hosts: be1
  gather_facts: false
  tasks:
    - command: nginx -T
    - uri: { url: "http://127.0.0.1:8080/health" }
    - uri: { url: "http://127.0.0.1:8081/health" }
    - wait_for: { host: 127.0.0.1, port: 443, timeout: 3 }
- hosts: gw1
  gather_facts: false
  tasks:
    - wait_for: { host: agents.example.test, port: 443, timeout: 3 }
    - uri: { url: "http://127.0.0.1:8443/api/v1/health" }
`;

const APPLIES = `
- hosts: all
  gather_facts: false
  tasks:
    - copy: { src: "{{ item }}", dest: "/srv/peer/{{ item }}" }
      loop: [a.service, b.service, c.socket, site.conf, agent.toml, trust.pem, app.bin]
    - file: { src: /srv/peer, dest: /srv/peer-current, state: link }
- hosts: be1
  gather_facts: false
  tasks:
    - command: nginx -t
    - systemd: { name: viworks-backend-agent.service, state: started }
    - systemd: { name: nginx.service, state: started }
- hosts: gw1
  gather_facts: false
  tasks:
    - systemd: { name: viworks-launcher.service, state: started }
    - systemd: { name: viworks-gateway-agent.service, state: started }
`;

/** Installs what is missing, here and on the hosts. Gives the reason instead when that does not work. */
export async function openAnsible(lab: Lab, say: (text: string) => void): Promise<Ansible | string> {
  if (spawnSync('ansible-playbook', ['--version']).status !== 0) {
    say('installing ansible-core');
    spawnSync('apt-get', ['update', '-qq']);
    const install = ['install', '-y', '-qq', '--no-install-recommends', 'ansible-core'];
    if (spawnSync('apt-get', install).status !== 0) return 'ansible-core cannot be installed here';
  }
  for (const host of ['be1', 'gw1'] as const) {
    const python = await lab.run(host, 'command -v python3 || apt-get install -y -qq python3; mkdir -p /srv/peer');
    if (python.code !== 0) return `${host} has no python3 and cannot install it`;
  }
  const dir = mkdtempSync(join(tmpdir(), 'viworks-ansible-'));
  const write = (name: string, text: string | Buffer): void => writeFileSync(join(dir, name), text);
  const vars = lab.sshArguments('be1').slice(0, -1).join(' ');
  const hosts = (['be1', 'gw1'] as const).map((host) => `${host} ansible_host=${lab.hosts[host]} ansible_user=root`);
  write(
    'hosts',
    `${hosts.join('\n')}\n[all:vars]\nansible_ssh_common_args='${vars}'\nansible_python_interpreter=/usr/bin/python3\n`,
  );
  write('looks.yml', LOOKS);
  write('applies.yml', APPLIES);
  mkdirSync(join(dir, 'files'));
  for (const name of ['a.service', 'b.service', 'c.socket', 'site.conf', 'agent.toml', 'trust.pem']) {
    write(`files/${name}`, `${name}\n`.repeat(60));
  }
  write('files/app.bin', Buffer.alloc(2_500_000, 7));
  // Its usual tuning: one kept connection a host, fewer round trips.
  const env = {
    ...process.env,
    ANSIBLE_PIPELINING: '1',
    ANSIBLE_SSH_ARGS: '-o ControlMaster=auto -o ControlPersist=60s',
    ANSIBLE_LOCALHOST_WARNING: '0',
  };
  const run = (playbook: string): number => {
    const started = performance.now();
    const result = spawnSync('ansible-playbook', ['-i', 'hosts', playbook], { cwd: dir, env, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`ansible-playbook ${playbook}: ${result.stdout}\n${result.stderr}`);
    return performance.now() - started;
  };
  run('applies.yml');
  return {
    looks: () => run('looks.yml'),
    applies: () => run('applies.yml'),
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}
