// A stranger on the backend's ports: upgrades, sends a CHALLENGE, answers everything else with {}, and keeps every byte it is sent, what is
// masked also without its mask. Usage: node stranger.cjs RECORD PORT...
const { createHash } = require('node:crypto');
const { appendFileSync } = require('node:fs');
const { createServer } = require('node:net');

const [record, ...ports] = process.argv.slice(2);
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const text = (payload) => {
  const body = Buffer.from(payload);
  const head = body.length < 126 ? [0x81, body.length] : [0x81, 126, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from(head), body]);
};
const challenge = { type: 'session.challenge', nonce: 'n'.repeat(43), serverTime: 1, protocolMin: 1, protocolMax: 1 };

/** What masked frames say; a probe's are whole and short. */
function unmasked(bytes) {
  const said = [];
  for (let at = 0; at + 6 <= bytes.length; ) {
    const short = bytes[at + 1] & 127;
    const start = at + (short === 126 ? 4 : 2);
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short;
    const mask = bytes.subarray(start, start + 4);
    said.push(Buffer.from(bytes.subarray(start + 4, start + 4 + length).map((byte, index) => byte ^ mask[index % 4])));
    at = start + 4 + length;
  }
  return Buffer.concat(said);
}

function serve(socket) {
  let head = '';
  let upgraded = false;
  socket.on('error', () => undefined);
  socket.on('data', (bytes) => {
    appendFileSync(record, bytes);
    if (upgraded) appendFileSync(record, unmasked(bytes));
    head += bytes.toString('latin1');
    if (upgraded || !head.includes('\r\n\r\n')) return;
    const key = /^sec-websocket-key: (\S+)/im.exec(head)?.[1];
    if (key === undefined) {
      socket.end(
        'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
      );
      return;
    }
    upgraded = true;
    const accept = createHash('sha1')
      .update(key + GUID)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.write(text(JSON.stringify(challenge)));
  });
}

for (const port of ports) createServer(serve).listen(Number(port), '127.0.0.1');
