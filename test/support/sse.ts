// Reads server-sent events of the API, one after the other.
import { createEventParser } from '../../agents/protocol/index.ts';

export interface SseEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

/** Events of a response body until it ends. */
export async function* readEvents(response: Response): AsyncGenerator<SseEvent> {
  if (!response.body) throw new Error(`no body, status ${response.status}`);
  const parser = createEventParser();
  for await (const bytes of response.body)
    for (const { name, id, data } of parser.push(bytes as Uint8Array))
      yield { event: name, id, data: JSON.parse(data) };
}

/** Bytes of both streams and the final task, from events of one task; checks that offsets follow each other. */
export async function collectOutput(
  events: AsyncIterable<SseEvent>,
  from: { out: number; err: number } = { out: 0, err: 0 },
): Promise<{ out: Buffer; err: Buffer; task: Record<string, unknown> | undefined; lastId: string | undefined }> {
  const parts: Record<string, Buffer[]> = { out: [], err: [] };
  const next: Record<string, number> = { ...from };
  let task: Record<string, unknown> | undefined;
  let lastId: string | undefined;
  for await (const { event, id, data } of events) {
    lastId = id ?? lastId;
    if (event === 'exit') task = data.task as Record<string, unknown>;
    if (event !== 'output') continue;
    const stream = String(data.stream);
    const bytes = Buffer.from(String(data.data), 'base64');
    if (data.offset !== next[stream]) throw new Error(`${stream}: expected offset ${next[stream]}, got ${data.offset}`);
    next[stream] = Number(data.offset) + bytes.length;
    parts[stream]?.push(bytes);
  }
  return { out: Buffer.concat(parts.out ?? []), err: Buffer.concat(parts.err ?? []), task, lastId };
}
