// One command through the HTTP API, as a program would send it: one request, answered by the live stream.
import { Agent, request } from 'node:http';
import type { System } from './system.ts';

const agent = new Agent({ keepAlive: true });

/** What came back, and when, in ms since the request was sent. */
export interface Answer {
  readonly code: number | undefined;
  readonly bytes: number;
  readonly firstByteMs: number;
  readonly totalMs: number;
  /** Text of the first output chunk and the wall clock at its arrival, in ms. */
  readonly first: { readonly text: string; readonly at: number } | undefined;
}

/** Runs argv on the system's gateway and waits for the exit event. */
export function command(system: System, argv: readonly string[]): Promise<Answer> {
  const body = JSON.stringify({ verb: 'exec', args: { argv }, gateways: [system.gateway] });
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const call = request(
      new URL('/api/v1/commands', system.url),
      {
        agent,
        method: 'POST',
        headers: {
          authorization: `Bearer ${system.token}`,
          accept: 'text/event-stream',
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
      },
      (response) => {
        let bytes = 0;
        let first: Answer['first'];
        let firstByteMs = Number.NaN;
        let code: number | undefined;
        let rest = '';
        response.setEncoding('latin1');
        response.on('data', (text: string) => {
          rest += text;
          for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
            const event = rest.slice(0, end);
            rest = rest.slice(end + 2);
            const data = event.slice(event.indexOf('data: ') + 6);
            if (event.includes('event: output')) {
              const chunk = Buffer.from((JSON.parse(data) as { data: string }).data, 'base64');
              bytes += chunk.length;
              if (first === undefined) {
                first = { text: chunk.toString('latin1'), at: performance.timeOrigin + performance.now() };
                firstByteMs = performance.now() - started;
              }
            } else if (event.includes('event: exit')) {
              code = (JSON.parse(data) as { task: { end?: { code?: number } } }).task.end?.code;
            }
          }
        });
        response.on('end', () => resolve({ code, bytes, first, firstByteMs, totalMs: performance.now() - started }));
        response.on('error', reject);
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}
