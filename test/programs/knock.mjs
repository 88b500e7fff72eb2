// Knocks at a port of this host at a fixed rate and counts: refused, failed, and the longest wait for an answer. Prints JSON.
// Usage: node knock.mjs PORT PATH PER_SECOND SECONDS
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [port, path, perSecond, seconds] = process.argv.slice(2);
const total = Number(perSecond) * Number(seconds);
const tally = { sent: 0, answered: 0, refused: 0, failed: [], longestMs: 0 };

function knock() {
  const started = performance.now();
  tally.sent += 1;
  return new Promise((resolve) => {
    const done = (error) => {
      tally.longestMs = Math.max(tally.longestMs, Math.round(performance.now() - started));
      if (error?.code === 'ECONNREFUSED') tally.refused += 1;
      else if (error) tally.failed.push(error.code ?? error.message);
      else tally.answered += 1;
      resolve();
    };
    const request = get({ host: '127.0.0.1', port, path, agent: false, timeout: 10_000 }, (response) => {
      response.resume();
      response.on('end', () => done());
      response.on('error', done);
    });
    request.on('timeout', () => request.destroy(new Error('no answer within 10 s')));
    request.on('error', done);
  });
}

const begun = performance.now();
const knocks = [];
for (let index = 0; index < total; index++) {
  const due = begun + (index * 1000) / Number(perSecond);
  await sleep(Math.max(0, due - performance.now()));
  knocks.push(knock());
}
await Promise.all(knocks);
process.stdout.write(`${JSON.stringify(tally)}\n`);
