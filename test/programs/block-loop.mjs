// Blocks the event loop of a running Node process for good, from outside: asks for its inspector and evaluates an endless loop.
// Usage: node block-loop.mjs PID
import { readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const pid = Number(process.argv[2]);
process.stdout.write(`blocking ${pid}, ${readlinkSync(`/proc/${pid}/exe`)}\n`);
process.kill(pid, 'SIGUSR1');
let address;
for (let attempt = 0; attempt < 100 && address === undefined; attempt++) {
  address = await fetch('http://127.0.0.1:9229/json')
    .then(async (response) => (await response.json())[0].webSocketDebuggerUrl)
    .catch(() => undefined);
  await sleep(50);
}
if (address === undefined) throw new Error('the inspector did not open');
const socket = new WebSocket(address);
await new Promise((resolve, reject) => {
  socket.onopen = resolve;
  socket.onerror = () => reject(new Error('the inspector refused'));
});
socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: 'for (;;);' } }));
await sleep(200);
process.exit(0);
