import { expect, test } from 'vitest';
import { limits } from '../../protocol/index.ts';
import { createOutbox } from './outbox.ts';

function congestedWire(): { sent: string[]; wire: Parameters<typeof createOutbox>[0]; relieve(): void } {
  const sent: string[] = [];
  const callbacks: (() => void)[] = [];
  let bufferedAmount: number = limits.SOCKET_HIGH_WATER_BYTES;
  return {
    sent,
    wire: {
      get bufferedAmount() {
        return bufferedAmount;
      },
      send(text, done) {
        const { type, taskId, nonce } = JSON.parse(text) as Record<string, unknown>;
        sent.push(`${String(type)} ${String(taskId ?? nonce)}`);
        callbacks.push(done);
      },
    },
    relieve() {
      bufferedAmount = 0;
    },
  };
}

const run = (taskId: string, stdin?: string) =>
  ({
    type: 'task.run',
    taskId,
    fence: 1,
    verb: 'exec',
    args: {},
    env: {},
    timeoutMs: 0,
    graceMs: 0,
    ttlMs: 1,
    ...(stdin === undefined ? {} : { stdin }),
  }) as const;

test('control goes first, then work, then the newest ack of each task', () => {
  const { sent, wire, relieve } = congestedWire();
  const outbox = createOutbox(wire);
  outbox.ack('task-1', { out: 1, err: 0, credit: 10 });
  outbox.send(run('task-2'));
  outbox.ack('task-1', { out: 2, err: 0, credit: 11 });
  outbox.send({ type: 'session.ping', nonce: 5 });
  expect(sent).toEqual([]);
  relieve();
  outbox.send({ type: 'task.cancel', taskId: 'task-9', graceMs: 1 });
  expect(sent).toEqual(['session.ping 5', 'task.cancel task-9', 'task.run task-2', 'task.ack task-1']);
});

test('a cancel does not overtake the run that it is about', () => {
  const { sent, wire, relieve } = congestedWire();
  const outbox = createOutbox(wire);
  outbox.send(run('task-1'));
  outbox.send({ type: 'task.cancel', taskId: 'task-1', graceMs: 1 });
  relieve();
  outbox.send({ type: 'session.ping', nonce: 1 });
  expect(sent).toEqual(['session.ping 1', 'task.run task-1', 'task.cancel task-1']);
});

test('a peer that does not read is noticed', () => {
  const { wire } = congestedWire();
  const outbox = createOutbox(wire);
  for (let index = 0; index < 17; index++) outbox.send(run(`task-${index}`, 'x'.repeat(1024 * 1024)));
  expect(outbox.overflowing).toBe(true);
});
