// An operator in a test: the HTTP API with a token, and tasks' output collected.
import type { http } from '../../agents/protocol/index.ts';
import { collectOutput, readEvents } from './sse.ts';

/** What a test does with the API. */
export interface Operator {
  request(
    method: string,
    path: string,
    options?: { body?: unknown; headers?: Record<string, string> },
  ): Promise<Response>;
  /** POST /commands; the created command. */
  command(body: http.CommandRequest, headers?: Record<string, string>): Promise<http.CommandBody>;
  /** One task on one gateway. */
  task(gateway: string, argv: readonly string[], changes?: Partial<http.CommandRequest>): Promise<http.TaskBody>;
  show(taskId: string): Promise<http.TaskBody>;
  cancel(taskId: string): Promise<{ result: string; task: http.TaskBody }>;
  /** Follows a task to its end. */
  output(taskId: string, options?: { from?: { out: number; err: number } }): ReturnType<typeof collectOutput>;
}

/** An operator at a base URL. */
export function createOperator(url: () => string, token: string): Operator {
  const request: Operator['request'] = (method, path, options = {}) =>
    fetch(url() + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
  const json = async <T>(response: Response): Promise<T> => {
    const body = await response.json();
    if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(body)}`);
    return body as T;
  };
  const command: Operator['command'] = async (body, headers = {}) =>
    json(await request('POST', '/api/v1/commands', { body, headers }));
  return {
    request,
    command,
    async task(gateway, argv, changes = {}) {
      const { tasks } = await command({ verb: 'exec', args: { argv: [...argv] }, gateways: [gateway], ...changes });
      const [task] = tasks;
      if (!task) throw new Error('no task');
      return task;
    },
    show: async (taskId) => json(await request('GET', `/api/v1/tasks/${taskId}`)),
    cancel: async (taskId) => json(await request('POST', `/api/v1/tasks/${taskId}/cancel`, { body: {} })),
    async output(taskId, { from = { out: 0, err: 0 } } = {}) {
      const response = await request('GET', `/api/v1/tasks/${taskId}/output?out=${from.out}&err=${from.err}`);
      return collectOutput(readEvents(response), from);
    },
  };
}

/** Waits until a condition holds, by asking again each 10 ms; fails with the last answer after `limitMs`. */
export async function eventually<T>(
  ask: () => Promise<T> | T,
  holds: (value: T) => boolean,
  limitMs = 5_000,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await ask();
    if (holds(value)) return value;
    if (performance.now() > end) throw new Error(`still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
