// Every way in that the user's own ssh knows, and every end of a login: deploy and doctor get in alike, or say why in the same words.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { spawn } from '@lydell/node-pty';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../doctor/engine/index.ts';
import { buildProgram, type Program } from '../support/program.ts';
import { type Lab, labObstacle, openLab } from './lab/index.ts';

const obstacle = await labObstacle();
const PASSPHRASE = 'a-passphrase';
const PASSWORD = 'a-password';

describe.skipIf(obstacle !== undefined)(`ways over ssh${obstacle ? ` (skipped: ${obstacle})` : ''}`, () => {
  let lab: Lab;
  let program: Program;
  let keys: string;
  let rsaPin: string;
  const agents: number[] = [];

  const key = (name: string): string => path.join(keys, name);
  const keygen = (...args: readonly string[]): string => execFileSync('ssh-keygen', args, { cwd: keys }).toString();

  beforeAll(async () => {
    program = buildProgram();
    if (execFileSync('sh', ['-c', 'command -v ssh-agent || true']).length === 0) {
      execFileSync('apt-get', ['install', '-y', '-q', 'openssh-client'], { stdio: 'ignore' });
    }
    lab = await openLab({ name: 'e2e-ssh' });
    keys = path.join(program.home, 'keys');
    mkdirSync(keys);
    const own = readFileSync(path.join(lab.dir, 'id_ed25519'));
    for (const name of ['right', 'locked']) writeFileSync(key(name), own, { mode: 0o600 });
    keygen('-q', '-p', '-N', PASSPHRASE, '-f', key('locked'));
    for (const name of ['1', '2', '3', '4', '5', '6', 'ca', 'host-ca', 'certified']) {
      keygen('-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', key(name));
    }
    keygen('-q', '-s', key('ca'), '-I', 'test', '-n', 'root', '-V', '+1d', key('certified.pub'));
    for (const host of ['be1', 'gw1'] as const) await prepare(host);
    writeFileSync(key('known'), readFileSync(path.join(lab.dir, 'known_hosts')));
    rsaPin = (await lab.run('be1', 'ssh-keygen -lf /etc/ssh/lab_rsa.pub')).stdout.split(' ')[1] ?? '';
  });
  afterAll(async () => {
    for (const pid of agents) process.kill(pid);
    await lab?.close();
    program?.[Symbol.dispose]();
  });

  // Accounts and certificates of every kind; root logs in with its key as before.
  async function prepare(host: 'be1' | 'gw1'): Promise<void> {
    const hostKey = (await lab.run(host, 'cat /etc/ssh/ssh_host_ed25519_key.pub')).stdout;
    writeFileSync(key(`${host}.pub`), hostKey);
    keygen('-q', '-s', key('host-ca'), '-I', host, '-h', '-n', lab.hosts[host], '-V', '+1d', key(`${host}.pub`));
    await lab.run(host, 'cat > /etc/ssh/lab-cert.pub', readFileSync(key(`${host}-cert.pub`), 'utf8'));
    await lab.run(host, 'cat > /etc/ssh/lab-ca.pub', readFileSync(key('ca.pub'), 'utf8'));
    const done = await lab.run(
      host,
      `set -e
       for user in two nolog forced expired; do
         shell=/bin/sh; [ $user != nolog ] || shell=/usr/sbin/nologin
         useradd -m -s $shell $user; mkdir -p /home/$user/.ssh
         cp /root/.ssh/authorized_keys /home/$user/.ssh/authorized_keys; chown -R $user /home/$user
       done
       sed -i 's/^/command="echo only git here" /' /home/forced/.ssh/authorized_keys
       echo two:${PASSWORD} | chpasswd; chage -E 1 expired
       ssh-keygen -q -t rsa -b 2048 -N '' -f /etc/ssh/lab_rsa
       printf '%s\\n' 'HostKey /etc/ssh/ssh_host_ed25519_key' 'HostKey /etc/ssh/lab_rsa' 'HostCertificate /etc/ssh/lab-cert.pub' \\
         'TrustedUserCAKeys /etc/ssh/lab-ca.pub' 'Match User two' '  AuthenticationMethods publickey,password' > /etc/ssh/sshd_config.d/zz-ways.conf
       sshd -t; systemctl restart ssh`,
    );
    expect(done.code, done.stderr).toBe(0);
  }

  interface Way {
    /** Changes to the text of the inventory. */
    readonly inventory?: (text: string) => string;
    readonly config?: string;
    readonly knownHosts?: string;
    /** Keys that an agent holds; without it there is no agent. */
    readonly agent?: readonly string[];
  }

  let count = 0;
  function place(way: Way): { readonly inventory: string; readonly env: Record<string, string> } {
    const home = path.join(program.home, `way${++count}`);
    mkdirSync(path.join(home, '.ssh'), { recursive: true });
    if (way.config !== undefined) writeFileSync(path.join(home, '.ssh/config'), way.config);
    if (way.knownHosts !== undefined) writeFileSync(path.join(home, '.ssh/known_hosts'), way.knownHosts);
    const inventory = path.join(lab.dir, `way${count}.toml`);
    const change = way.inventory ?? ((text: string) => text);
    writeFileSync(inventory, change(readFileSync(lab.inventoryPath, 'utf8')));
    const env: Record<string, string> = { HOME: home, SSH_AUTH_SOCK: '' };
    if (way.agent) {
      const socket = path.join(home, 'agent');
      const said = execFileSync('ssh-agent', ['-a', socket]).toString();
      agents.push(Number(/SSH_AGENT_PID=(\d+)/.exec(said)?.[1]));
      env.SSH_AUTH_SOCK = socket;
      // The locked key is the right one under a passphrase: the agent is given the key itself, as after unlocking it.
      for (const name of way.agent) {
        execFileSync('ssh-add', ['-q', key(name)], { env: { ...process.env, ...env }, stdio: 'ignore' });
      }
    }
    return { inventory, env };
  }

  const withoutPins = (text: string): string => text.replaceAll(/^host_key.*\n/gm, '');
  const withoutKeys = (text: string): string => text.replaceAll(/^identity_file.*\n/gm, '');
  const keyFile = (name: string) => (text: string) =>
    text.replaceAll(/^identity_file.*$/gm, `identity_file = "${key(name)}"`);
  const asUser = (name: string) => (text: string) => text.replaceAll(/^user .*$/gm, `user = "${name}"`);

  async function look(way: Way): Promise<{ deploy: [number | null, string]; sight: string[] }> {
    const { inventory, env } = place(way);
    const status = await program.run(['deploy', 'status', '-i', inventory], { env });
    const doctor = await program.run(['doctor', '-i', inventory, '--output', 'json', '--no-record'], { env });
    const report = JSON.parse(doctor.stdout.toString()) as Report;
    const word = /\((VW_\w+)\)/.exec(status.stderr)?.[1] ?? '';
    return { deploy: [status.code, word], sight: [...new Set(report.sight.map((cause) => cause.code))] };
  }

  // Nothing is deployed here: "not installed" is what deploy finds once it is in.
  const worked = { deploy: [expect.any(Number), ''], sight: [] };

  test.each<[string, () => Way]>([
    ['a locked key that the agent holds', () => ({ inventory: keyFile('locked'), agent: ['right'] })],
    ['an agent key among others', () => ({ inventory: withoutKeys, agent: ['1', '2', 'right'] })],
    ['a user certificate in the agent', () => ({ inventory: withoutKeys, agent: ['certified'] })],
    ['a user certificate beside its key', () => ({ inventory: keyFile('certified') })],
    [
      'a certificate authority in known_hosts',
      () => ({ inventory: withoutPins, knownHosts: `@cert-authority * ${readFileSync(key('host-ca.pub'), 'utf8')}` }),
    ],
    [
      'known hosts somewhere else',
      () => ({ inventory: withoutPins, config: `Host *\n  UserKnownHostsFile ${key('known')}\n` }),
    ],
    [
      'a jump over the other host',
      () => ({
        inventory: (text) => text.replaceAll(lab.hosts.gw1, 'gw1.example.test'),
        config: `Host gw1.example.test\n  HostName ${lab.hosts.gw1}\n  ProxyJump root@${lab.hosts.be1}\n${through()}`,
      }),
    ],
    [
      'a proxy command',
      () => ({
        inventory: (text) => text.replaceAll(lab.hosts.gw1, 'gw1.example.test'),
        config: `Host gw1.example.test\n  HostName ${lab.hosts.gw1}\n  ProxyCommand ssh -F none -i ${key('right')} -o UserKnownHostsFile=${key('known')} -W %h:%p root@${lab.hosts.be1}\n`,
      }),
    ],
    ['a pin of another key type', () => ({ inventory: pinOf(rsaPin) })],
    [
      'a pin of another key type, through OpenSSH',
      () => ({ inventory: pinOf(rsaPin), config: 'Host *\n  BindAddress 0.0.0.0\n' }),
    ],
  ])('%s: in', async (_name, way) => {
    expect(await look(way())).toEqual(worked);
  });

  const through = (): string => `Host *\n  IdentityFile ${key('right')}\n  UserKnownHostsFile ${key('known')}\n`;
  // The pin of be1, the first of the two.
  const pinOf = (pin: string) => (text: string) => text.replace(/^host_key.*$/m, `host_key = "${pin}"`);

  test.each<[string, () => Way, [number, string], string]>([
    [
      'seven agent keys, the right one last',
      () => ({ inventory: withoutKeys, agent: ['1', '2', '3', '4', '5', '6', 'right'] }),
      [10, 'VW_REMOTE_TOO_MANY_KEYS'],
      'SSH-04',
    ],
    [
      'a locked key that nobody holds',
      () => ({ inventory: keyFile('locked') }),
      [64, 'VW_REMOTE_KEY_LOCKED'],
      'SSH-08',
    ],
    ['a key that is not authorized', () => ({ inventory: keyFile('1') }), [10, 'VW_REMOTE_AUTH'], 'SSH-01'],
    ['a second factor', () => ({ inventory: asUser('two') }), [10, 'VW_REMOTE_MORE_WANTED'], 'SSH-15'],
    ['an expired account', () => ({ inventory: asUser('expired') }), [10, 'VW_REMOTE_ACCOUNT_CLOSED'], 'SSH-16'],
    ['an account without a shell', () => ({ inventory: asUser('nolog') }), [10, 'VW_DEPLOY_SHELL'], 'SSH-14'],
    ['a forced command', () => ({ inventory: asUser('forced') }), [10, 'VW_DEPLOY_SHELL'], 'SSH-14'],
    [
      'a pin that no key has',
      () => ({ inventory: pinOf(`SHA256:${'A'.repeat(43)}`) }),
      [9, 'VW_REMOTE_HOST_KEY_CHANGED'],
      'SSH-02',
    ],
    [
      'another authority',
      () => ({ inventory: withoutPins, knownHosts: `@cert-authority * ${readFileSync(key('ca.pub'), 'utf8')}` }),
      [9, 'VW_REMOTE_HOST_KEY_UNKNOWN'],
      'SSH-20',
    ],
    [
      'a port where nothing listens',
      () => ({ inventory: (text) => text.replaceAll(/^user .*$/gm, 'user = "root"\nport = 1') }),
      [8, 'VW_REMOTE_REFUSED'],
      'SSH-09',
    ],
    ['a configuration that ssh refuses', () => ({ config: 'Nonsense yes\n' }), [64, 'VW_REMOTE_SSH_CONFIG'], 'SSH-21'],
  ])('%s: its own end, the same in both', async (_name, way, deploy, sight) => {
    expect(await look(way())).toEqual({ deploy, sight: [sight] });
  });

  test('on a terminal, what ssh asks can be answered; nothing is drawn over the question', async () => {
    const { inventory, env } = place({ inventory: asUser('two') });
    const asked = await onTerminal(['doctor', '--plain', '--no-record', '-i', inventory], env);
    expect(asked.text.match(/password:/g)).toHaveLength(2);
    expect(asked.text).not.toContain('SSH-');
    const screen = await onTerminal(['doctor', '--no-record', '-i', inventory], env);
    expect(screen.text.lastIndexOf('password:')).toBeLessThan(screen.text.indexOf('\x1b[?1049h'));
    expect(screen.text.match(/password:/g)).toHaveLength(2);
  });

  test('a passphrase is asked for once, for both hosts', async () => {
    const { inventory, env } = place({ inventory: keyFile('locked') });
    const asked = await onTerminal(['doctor', '--plain', '--no-record', '-i', inventory], env);
    expect(asked.text.match(/passphrase for/g)).toHaveLength(1);
    expect(asked.text).not.toContain('SSH-');
  });

  /** Runs it on a PTY, answers each question for a password or a passphrase, and leaves a screen as soon as there is one. */
  function onTerminal(argv: readonly string[], env: Record<string, string>): Promise<{ code: number; text: string }> {
    const pty = spawn(process.execPath, [path.join(program.dist, 'main.js'), ...argv], {
      cols: 120,
      rows: 40,
      env: { ...env, PATH: process.env.PATH ?? '', TERM: 'xterm-256color', LANG: 'C.UTF-8' },
    });
    let text = '';
    let answered = 0;
    return new Promise((resolve) => {
      pty.onData((part) => {
        text += part;
        const asked = text.match(/password:|passphrase for .*:/g) ?? [];
        if (asked.length > answered) {
          answered = asked.length;
          pty.write(`${asked.at(-1) === 'password:' ? PASSWORD : PASSPHRASE}\r`);
        }
        if (text.includes('\x1b[?1049h')) pty.write('q');
      });
      pty.onExit(({ exitCode }) => resolve({ code: exitCode, text }));
    });
  }
});
