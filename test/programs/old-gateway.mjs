// A gateway agent of the old kind. With a complete configuration it connects, says HELLO and answers pings. With a key missing
// it says so once, and then stays: active, running and idle; so it does after `max_reconnect_attempts`. Its configuration is `key = "value"` lines.
// usage: node old-gateway.mjs CONFIG
import { readFileSync } from 'node:fs';

const note = (level, message) =>
  process.stdout.write(`${JSON.stringify({ level, target: 'gateway_agent', message })}\n`);
const text = readFileSync(process.argv[2] ?? 'agent.toml', 'utf8');
const config = Object.fromEntries(
  [...text.matchAll(/^\s*([a-z_]+)\s*=\s*"(.*)"\s*$/gm)].map(([, key, value]) => [key, value]),
);
const missing = ['backend_url', 'agent_id'].filter((key) => !config[key]);
const pauseMs = 500;
let attempts = 0;

note('info', 'Starting gateway agent');
if (missing.length > 0) {
  note('error', `Outbound agent failed: configuration error: missing field \`${missing[0]}\``);
  note('info', 'Outbound-only mode - keeping process alive');
  setInterval(() => undefined, 60_000);
} else {
  connect();
}

function connect() {
  const socket = new WebSocket(config.backend_url);
  socket.addEventListener('open', () => {
    note('info', 'Connected to backend');
    attempts = 0;
    socket.send(JSON.stringify({ type: 'hello', agent_id: config.agent_id }));
  });
  socket.addEventListener('error', () => undefined);
  socket.addEventListener('close', (event) => {
    attempts += 1;
    if (config.max_reconnect_attempts && attempts >= Number(config.max_reconnect_attempts)) {
      note('error', `Giving up after ${attempts} attempts`);
      setInterval(() => undefined, 60_000);
      return;
    }
    note('warn', `Connection to backend lost (${event.code}). Reconnecting in ${pauseMs} ms`);
    setTimeout(connect, pauseMs);
  });
}
