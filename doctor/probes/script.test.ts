// Every section of every role: only commands that read, only redirections to nowhere, and syntax that a POSIX shell takes.
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { backendAsk, gatewayAsk } from '../../test/support/doctor/ask.ts';
import { sectionsOf } from './host-probes.ts';
import { errorLogScript } from './nginx-log.ts';
import { bundleScript, type Section, shellCommand } from './script.ts';
import { queueSection } from './sockets.ts';

const unit = 'viworks-backend-agent.service';
const inside = { part: 'backend', name: 'viworks-backend-agent', ports: [8080], vantage: 'be/ns:agent' } as const;
const front = { part: 'nginx', name: null, ports: [443], vantage: 'be/ns:nginx' } as const;
const asks = [
  backendAsk,
  {
    ...backendAsk,
    containers: [inside, front],
    nginx: { container: front, unit: null, entry: null },
    config: { part: 'backend', unit, file: null, container: { part: 'backend', name: null } },
  },
  { ...gatewayAsk, config: { part: 'gateway', unit: null, file: "/tmp/it's here.toml", container: null } },
] as const;
const again = errorLogScript([{ path: '/var/log/nginx/error.log', inode: '77', size: '90' }]);
const sections: readonly Section[] = [
  ...asks.flatMap(sectionsOf),
  queueSection,
  { id: 'nginx.again', title: '', body: again },
];
const program = bundleScript(sections, 'nonce');

/** Words that may begin a command. What can also write has its arguments checked below. */
const allowed = new Set(
  `awk cat cut date df docker echo emit exec export false for getconf getent grep have head id ip journalctl ls nft nginx nsenter printf read
  readlink return sed set sh shift sort ss stat systemctl tail test tr true uname unset wc while xargs case if then else elif fi do done esac in
  [ { } : main continue break local command exit iptables-nft-save
  mtime nginx_root nginx_entry nginx_file nginx_conf nginx_show nginx_user nginx_pids nginx_proven config_text
  limit halved first nginx_whole
  list shown sleep take uid_of young parent_of program_of users_of viworks_pids no store ours may ways people refused environment`
    .split(/\s+/)
    .filter(Boolean),
);

/** First words of all commands, found by cutting away quoted text and splitting at what separates commands. */
function commandWords(script: string): readonly string[] {
  const bare = script
    .replace(/^\s*#.*$/gm, '')
    .replace(/\\./g, '_')
    .replace(/'[^']*'/g, 'Q')
    .replace(/"(?:[^"$`]|\$[A-Za-z_{][^"]*?)*?"/g, 'Q')
    .replace(/\$\{[^}]*\}/g, 'V');
  const pieces = bare.split(/\$\(|[\n;|&(){}`]|\b(?:then|do|else|in)\b/);
  return pieces.flatMap((piece) => {
    const words = piece.trim().split(/\s+/);
    const index = words.findIndex((word) => !/^(\w+=.*|\$T|!|\d?[<>].*|if|while|elif|TZ=UTC)?$/.test(word));
    const word = index < 0 ? '' : (words[index] ?? '');
    // What a case branches on, arguments of `for … in`, and rests of quoted text are no commands.
    return /^[a-z][\w-]*$/.test(word) ? [word] : [];
  });
}

test('no section begins a command with a word that is not on the list', () => {
  const strange = sections.flatMap((section) =>
    commandWords(section.body)
      .filter((word) => !allowed.has(word))
      .map((word) => `${section.id}: ${word}`),
  );
  expect(strange.filter((item) => !/: (or|state|stderr)$/.test(item))).toEqual([]);
});

test('what can also write is only asked to read', () => {
  const calls = (name: string): string[] =>
    [...program.matchAll(new RegExp(`\\$T ${name} ([a-z-]+)`, 'g'))].map((match) => match[1] ?? '');
  expect(new Set(calls('systemctl'))).toEqual(new Set(['show', 'status']));
  expect(new Set(calls('docker'))).toEqual(new Set(['ps', 'inspect', 'logs']));
  expect(new Set(calls('nft'))).toEqual(new Set(['list']));
  expect(new Set(calls('nginx'))).toEqual(new Set(['-t']));
  expect(program).not.toMatch(/sed\s+(-\w+\s+)*-i|--in-place/);
  // An awk program can start others, and can write.
  for (const [, text = ''] of program.matchAll(/\bawk (?:-v \w+='[^']*' )*'([^']*)'/g))
    expect(text).not.toMatch(/system\s*\(|getline|\bprintf?\b[^;\n}]*[>|]/);
  expect([...program.matchAll(/\bawk /g)].length).toBe([...program.matchAll(/\bawk (?:-v \w+='[^']*' )*'/g)].length);
});

test('nothing is redirected but to nowhere and into its own frame', () => {
  const targets = [...program.matchAll(/(?<![<>=-])\d?>{1,2}\s*(&?[^\s;)]+)/g)].map((match) => match[1]);
  expect([...new Set(targets)].sort()).toEqual(['&1', '&9', '/dev/null']);
});

test.each([
  ['dash', ['-n']],
  ['bash', ['--posix', '-n']],
  ['busybox', ['sh', '-n']],
] as const)('%s takes the program', (shell, args) => {
  if (!hasShell(shell)) return;
  expect(execFileSync(shell, args, { input: program }).toString()).toBe('');
});

function hasShell(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`]);
    return true;
  } catch {
    return false;
  }
}

test('the program runs whole in an empty environment, without any of its tools', () => {
  const run = (path: string): string =>
    execFileSync('/bin/sh', ['-s'], { input: program, env: { PATH: path }, maxBuffer: 64 * 1024 * 1024 }).toString();
  const ids = [...run('/nonexistent').matchAll(/^@nonce (\S+) \d+ \d+\+?$/gm)].map((match) => match[1]);
  expect(ids).toEqual([...sections.map((section) => section.id), 'end']);
});

test('the shell ends by itself, and sudo never asks', () => {
  expect(shellCommand({ sudo: false })).not.toContain('sudo');
  expect(shellCommand({ sudo: false })).toMatch(/timeout \d+ sh -s/);
  for (const call of shellCommand({ sudo: true }).matchAll(/sudo (\S+)/g)) expect(call[1]).toBe('-n');
});
