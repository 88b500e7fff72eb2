// Hosts that are full of secrets, and users on them who want the doctor to read, believe or show something of theirs.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../doctor/engine/index.ts';
import { buildProgram, type Outcome, type Program } from '../support/program.ts';
import { secretShapes, traces } from '../support/secrets.ts';
import { type Lab, labObstacle, openLab } from './lab/index.ts';

const obstacle = await labObstacle();
const title = obstacle ? `the doctor on hostile hosts (skipped: ${obstacle})` : 'the doctor on hostile hosts';

/** What only root may read there. */
const hidden = 'R00tOnly0x51c7';

/** A whole run, with what a host does to make it wait, in ms. */
const RUN_MS = 30_000;

// A process of nobody that calls itself nginx, in every way that a process can, and names a file of his.
const impostor = `
use strict;
sub name { $0 = shift; open(my $f, '>', '/proc/self/comm'); print $f 'nginx'; close $f }
name('nginx: master process nginx -c /tmp/hostile.conf');
if (!fork) { name('nginx: worker process'); sleep 600 }
sleep 600;
`;

// Keeps every byte that it is sent, and answers every request with 200 and {}.
const recorder = `
use strict; use IO::Socket::INET; use IO::Select;
my ($record, $port) = @ARGV;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 64, ReuseAddr => 1) or die $!;
$SIG{CHLD} = 'IGNORE';
while (1) {
  my $peer = $listener->accept or next;
  next if fork;
  my $head = '';
  while (sysread($peer, my $part, 65536)) {
    open(my $f, '>>', $record); syswrite($f, $part); close $f;
    $head .= $part;
    if ($head =~ /\\r\\n\\r\\n/) { syswrite($peer, "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nContent-Type: application/json\\r\\nConnection: close\\r\\n\\r\\n{}"); last }
  }
  exit 0;
}
`;
// The same behind TLS, with a certificate of its own or the stolen one.
const tlsRecorder = `
const { appendFileSync, readFileSync } = require('node:fs');
const [record, pem] = process.argv.slice(2);
const text = readFileSync(pem, 'utf8');
require('node:tls').createServer({ cert: text, key: text }, (socket) => {
  socket.on('error', () => undefined);
  socket.on('data', (bytes) => {
    appendFileSync(record, bytes);
    socket.end('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nContent-Type: application/json\\r\\nConnection: close\\r\\n\\r\\n{}');
  });
}).on('tlsClientError', () => appendFileSync(record, 'refused ')).listen(443, '127.0.0.1');
`;

describe.skipIf(obstacle !== undefined)(title, () => {
  let lab: Lab;
  let program: Program;
  let scratch: string;

  beforeAll(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), 'viworks-hostile-'));
    program = buildProgram();
    lab = await openLab({ name: 'e2e-foe' });
    await lab.installOld();
  });
  afterAll(async () => {
    await lab?.close();
    program?.[Symbol.dispose]();
    await rm(scratch, { recursive: true, force: true });
  });

  /** A run, with everything that it wrote: report, screen text, recording, errors. */
  const look = async (
    more: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ outcome: Outcome; report: Report; all: string }> => {
    const recording = path.join(scratch, `run-${Math.random()}.ndjson`);
    const argv = ['doctor', '-i', lab.inventoryPath, '--output', 'json', '--record', recording, ...more];
    const outcome = await program.run(argv, { env });
    const plain = await program.run(['doctor', '--replay', recording, '--all']);
    const texts = [outcome.stdout, outcome.stderr, plain.stdout, plain.stderr, await readFile(recording, 'utf8')];
    const all = texts.join('\n');
    return { outcome, report: JSON.parse(outcome.stdout.toString()) as Report, all };
  };

  test('secrets of every shape in files and logs are in no output and in no recording', async () => {
    const text = secretShapes()
      .map(([, shape]) => shape)
      .join('\n');
    const commented = text.replace(/^/gm, '# ');
    const stamped = '$(date "+%Y/%m/%d %H:%M:%S") [error] 1#1: *1';
    const config = '/opt/old-system/agent.toml';
    await lab.run('be1', 'cp -a /etc/hosts /etc/hosts.kept');
    await lab.run('gw1', `cp -a ${config} ${config}.kept; cat >> ${config}`, `\n${commented}\n`);
    await lab.run('be1', 'cat >> /etc/hosts', `${commented}\n`);
    await lab.run('be1', 'cat > /etc/nginx/conf.d/secrets.conf', `${commented}\n`);
    await lab.run(
      'be1',
      `while IFS= read -r line; do printf '%s %s\\n' "${stamped}" "$line"; done >> /var/log/nginx/error.log`,
      `${text}\n`,
    );
    const unit = 'viworks-backend-agent.service';
    await lab.run(
      'be1',
      `sh -c 'echo $$ > /sys/fs/cgroup$(systemctl show -p ControlGroup --value ${unit})/cgroup.procs; exec logger'`,
      `${text}\n`,
    );
    const { all, report } = await look();
    // Each format as it is written while the run goes on, too.
    const formats = await Promise.all(
      ['short', 'ndjson'].map((output) => program.run(['doctor', '-i', lab.inventoryPath, '--output', output])),
    );
    const live = formats.map(({ stdout, stderr }) => `${stdout}${stderr}`).join('\n');
    await lab.run('gw1', `mv -f ${config}.kept ${config}`);
    await lab.run(
      'be1',
      'rm /etc/nginx/conf.d/secrets.conf; mv -f /etc/hosts.kept /etc/hosts; : > /var/log/nginx/error.log',
    );
    expect(secretShapes().length).toBeGreaterThan(80);
    for (const trace of traces()) for (const written of [all, live]) expect(written).not.toContain(trace);
    expect(report.verdict).toBe('healthy');
    expect(all).toContain('[redacted]');
  });

  test('text that steers a terminal or a CI runner is harmless in every output', async () => {
    const unit = 'viworks-backend-agent.service';
    const marks = [
      '\u001b[2J\u001b]0;pwned\u0007',
      '\u009b31m\u009d0;pwned\u009c',
      '\u202epwned\u2066',
      '::error::pwned',
      '##[error]pwned',
    ];
    const stamp =
      '$(date "+%Y/%m/%d %H:%M:%S") [error] 1#1: *1 connect() failed (111: Connection refused) while connecting to upstream';
    await lab.run('be1', `systemctl stop ${unit}`);
    await lab.run(
      'be1',
      `while IFS= read -r line; do printf '%s, client: %s\\n%s\\n' "${stamp}" "$line" "$line"; done >> /var/log/nginx/error.log`,
      `${marks.join('\n')}\n`,
    );
    await lab.run('be1', 'cat > /etc/nginx/conf.d/hostile.conf', `${marks.map((mark) => `# ${mark}`).join('\n')}\n`);
    const written: string[] = [];
    try {
      for (const output of ['plain', 'short', 'json', 'ndjson']) {
        const [recording, file] = ['ndjson', 'out'].map((end) => path.join(scratch, `steer-${output}.${end}`)) as [
          string,
          string,
        ];
        const argv = ['doctor', '-i', lab.inventoryPath, '--output', output];
        const shown = await program.run([...argv, '--all', '--record', recording]);
        const again = await program.run(['doctor', '--replay', recording, '--output', output, '--output-file', file]);
        expect([shown.code, again.code]).toEqual([3, 3]);
        written.push(
          shown.stdout.toString(),
          shown.stderr,
          again.stderr,
          await readFile(file, 'utf8'),
          await readFile(recording, 'utf8'),
        );
      }
    } finally {
      await lab.run('be1', `rm /etc/nginx/conf.d/hostile.conf; : > /var/log/nginx/error.log; systemctl start ${unit}`);
      await lab.untilWell();
    }
    for (const text of written) {
      expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      expect(text).not.toMatch(/^\s*::error|##\[/m);
    }
    expect(written.join('\n')).toMatch(/u001b\]0;pwned/);
  });

  test('a process of nobody that poses as nginx changes nothing in what is read or said', async () => {
    await lab.run(
      'be1',
      `printf '%s' '${hidden}' > /root/hostile.txt; chmod 600 /root/hostile.txt; cat > /tmp/hostile.pl`,
      impostor,
    );
    await lab.run(
      'be1',
      'cat > /tmp/hostile.conf',
      'include /etc/shadow;\ninclude /root/hostile.txt;\nerror_log /root/hostile.txt;\n',
    );
    await lab.run(
      'be1',
      'chmod 644 /tmp/hostile.*; systemd-run -q --unit=hostile -p User=nobody -- perl /tmp/hostile.pl; until grep -qx nginx /proc/$(systemctl show -p MainPID --value hostile)/comm; do sleep 0.1; done',
    );
    const said = (report: Report) => [report.verdict, report.causes.map((cause) => cause.code)];
    const posed = await look();
    expect(posed.all).not.toMatch(/hostile\.(?:conf|txt|pl)/);
    expect(posed.all).not.toContain(hidden);
    expect(said(posed.report)).toEqual(['healthy', []]);
    await lab.run('be1', 'systemctl stop nginx');
    const down = await look();
    await lab.run('be1', 'systemctl stop hostile');
    const alone = await look();
    await lab.run('be1', 'systemctl start nginx');
    expect(said(down.report)).toEqual(said(alone.report));
    expect(down.all).not.toMatch(/hostile\.(?:conf|txt|pl)/);
  });

  test('a FIFO or a link to a secret where the agent has its configuration is neither waited for nor followed', async () => {
    const file = '/opt/old-system/agent.toml';
    await lab.run(
      'gw1',
      `printf 'password = "${hidden}"\\nurl = "${hidden}"\\n' > /root/hostile.txt; chmod 600 /root/hostile.txt; cp -a ${file} ${file}.kept`,
    );
    for (const trap of [`rm ${file}; mkfifo ${file}`, `rm ${file}; ln -s /etc/shadow ${file}`]) {
      await lab.run('gw1', trap);
      const began = performance.now();
      const { all, report } = await look();
      expect(performance.now() - began).toBeLessThan(RUN_MS);
      expect(all).not.toContain(hidden);
      expect(all).not.toMatch(/root:\$|root:\*/);
      expect(report.unknowns.map((item) => item.key)).toContain('agent.config');
    }
    await lab.run('gw1', `mv -f ${file}.kept ${file}`);
  });

  /** A run with tokens of two roles at hand; what a stranger was sent, and all that was written, hold neither. */
  const lookAtStranger = async (host: 'be1' | 'gw1'): Promise<Report> => {
    const tokens = ['vw_probe_c4nary-never-to-be-sent-0123456789', 'vw_0perator-never-to-be-sent-0123456789'];
    const [probe = '', operator = ''] = await Promise.all(
      tokens.map(async (token, index) => {
        const file = path.join(scratch, `token-${index}`);
        await writeFile(file, `${token}\n`, { mode: 0o600 });
        return file;
      }),
    );
    const env = { VIWORKS_TOKEN_FILE: operator };
    const { report, all } = await look(['--token-file', probe], env);
    const refused = await program.run(['doctor', '-i', lab.inventoryPath, '--token-file', operator], { env });
    expect({ code: refused.code, said: refused.stderr }).toMatchObject({
      code: 64,
      said: expect.stringContaining('VW_DOCTOR_NO_PROBE_TOKEN'),
    });
    const { stdout: sent } = await lab.run(host, 'cat /tmp/stranger.record');
    expect(sent).not.toBe('');
    for (const text of [sent, all, refused.stderr]) for (const token of tokens) expect(text).not.toContain(token);
    expect(sent).not.toMatch(/authorization/i);
    return report;
  };

  test.each([8080, 8081])('a stranger on port %d is named, and is sent no byte of a token', async (port) => {
    const unit = 'viworks-backend-agent.service';
    await lab.run('be1', 'cat > /tmp/stranger.pl; chmod 644 /tmp/stranger.pl; rm -f /tmp/stranger.record', recorder);
    await lab.run(
      'be1',
      `systemctl stop ${unit}; systemd-run -q --unit=stranger-${port} -p User=nobody -- perl /tmp/stranger.pl /tmp/stranger.record ${port}
      until ss -ltn | grep -q ':${port} '; do sleep 0.1; done`,
    );
    try {
      const report = await lookAtStranger('be1');
      expect(report.verdict).toBe('broken');
      expect(report.causes.map(({ title }) => title)).toContainEqual(
        expect.stringMatching(new RegExp(`another program holds port ${port}: .*user nobody`)),
      );
    } finally {
      await lab.run('be1', `systemctl stop stranger-${port}; systemctl start ${unit}`);
      await lab.untilWell();
    }
  });

  test.each([
    [
      'a certificate of its own',
      'openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=agents.example.test -addext subjectAltName=DNS:agents.example.test -keyout k.pem -out c.pem 2>/dev/null; cat c.pem k.pem > stranger.pem',
    ],
    ['the stolen certificate', 'cat > stranger.pem'],
  ])('a stranger on the public name, with %s, is sent no byte of a token', async (_, make) => {
    const { stdout: stolen } = await lab.run('be1', 'cat /etc/old-system/server.pem /etc/old-system/server.key');
    await lab.run('gw1', 'cat > /tmp/stranger.cjs', tlsRecorder);
    await lab.run('gw1', `cd /tmp; rm -f stranger.record; ${make}`, stolen);
    const agent = 'viworks-gateway-agent.service';
    await lab.run(
      'gw1',
      `cp -a /etc/hosts /etc/hosts.kept; sed -i '/agents.example.test/d' /etc/hosts; echo '127.0.0.1 agents.example.test' >> /etc/hosts
      systemd-run -q --unit=stranger -- /opt/old-system/node /tmp/stranger.cjs /tmp/stranger.record /tmp/stranger.pem
      until ss -ltn | grep -q '127.0.0.1:443 '; do sleep 0.1; done; systemctl restart ${agent}`,
    );
    try {
      const report = await lookAtStranger('gw1');
      expect(report.verdict).toBe('broken');
      expect([report.causes.map(({ code }) => code), report.firstBad]).toEqual([['NET-01'], 'dns']);
    } finally {
      await lab.run(
        'gw1',
        `systemctl stop stranger; mv -f /etc/hosts.kept /etc/hosts; rm -f /tmp/*.pem; systemctl restart ${agent}`,
      );
      await lab.untilWell();
    }
  });

  test('endless words at login end the round, not the run', async () => {
    await lab.run('gw1', 'cat > /root/.bashrc', '[ -n "$SSH_CONNECTION" ] && while :; do echo "endless words"; done\n');
    try {
      const began = performance.now();
      const { report, all } = await look();
      expect(performance.now() - began).toBeLessThan(RUN_MS);
      expect(all.length).toBeLessThan(4 * 1024 * 1024);
      expect(report.causes).toEqual([]);
      expect(report.unknowns.some((item) => item.reason === 'cut')).toBe(true);
    } finally {
      await lab.run('gw1', 'rm -f /root/.bashrc');
    }
  });
});
