import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createNotifier, listenFds } from './notify.ts';

test('does nothing without a service manager', () => {
  const notifier = createNotifier({});
  notifier.ready();
  notifier.watchdog();
  expect(notifier.watchdogMs).toBeUndefined();
});

test('pings at half of what the manager allows', () => {
  expect(createNotifier({ VIWORKS_NOTIFY_FD: '5', WATCHDOG_USEC: '30000000' }).watchdogMs).toBe(15_000);
});

test.each([
  [
    { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'api:agents' },
    [
      ['api', 3],
      ['agents', 4],
    ],
  ],
  [{ LISTEN_PID: '8', LISTEN_FDS: '2', LISTEN_FDNAMES: 'api:agents' }, []],
  [{ LISTEN_PID: '7', LISTEN_FDS: '1' }, [['unknown-0', 3]]],
  [{}, []],
])('sockets of systemd from %j', (env, expected) => {
  expect([...listenFds(env, 7)]).toEqual(expected);
});

test('the shim hands over a descriptor that reaches the datagram socket, with the same pid', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'viworks-notify-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const socket = join(dir, 'notify');
  const receiver = spawn('perl', [
    '-MSocket',
    '-e',
    'socket(S,AF_UNIX,SOCK_DGRAM,0); bind(S,pack_sockaddr_un($ARGV[0])) or die; $|=1; print "bound\\n"; recv(S,$m,4096,0); print "$m\\n";',
    socket,
  ]);
  onTestFinished(() => void receiver.kill('SIGKILL'));
  let heard = '';
  receiver.stdout.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  await once(receiver.stdout, 'data');
  const shim = spawn(
    'perl',
    [
      new URL('./notify.pl', import.meta.url).pathname,
      process.execPath,
      '-e',
      'process.stdout.write(String(process.pid)+" "+(process.env.NOTIFY_SOCKET??"gone"));require("fs").writeSync(+process.env.VIWORKS_NOTIFY_FD,"READY=1")',
    ],
    { env: { ...process.env, NOTIFY_SOCKET: socket } },
  );
  let said = '';
  shim.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await once(receiver, 'close');
  if (shim.exitCode === null) await once(shim, 'close');
  expect(heard).toBe('bound\nREADY=1\n');
  expect(said).toBe(`${shim.pid} gone`);
});
