// Server-sent events out of byte chunks, cut anywhere. Pure.
import { StringDecoder } from 'node:string_decoder';

/** One event. Comments (keep-alives) give none. */
export interface ServerEvent {
  readonly name: string;
  readonly data: string;
  readonly id: string | undefined;
}

/** An incremental parser: feed it chunks, it gives the events that were completed by each. */
export interface EventParser {
  push(chunk: Uint8Array): ServerEvent[];
}

/** Starts a parser for one response. See the HTML standard, "Interpreting an event stream". */
export function createEventParser(): EventParser {
  const decoder = new StringDecoder('utf8');
  let tail = '';
  let name = '';
  let id: string | undefined;
  let data: string[] = [];

  function line(text: string, events: ServerEvent[]): void {
    if (text === '') {
      if (data.length > 0) events.push({ name: name || 'message', data: data.join('\n'), id });
      name = '';
      data = [];
      return;
    }
    const colon = text.indexOf(':');
    if (colon === 0) return;
    const field = colon === -1 ? text : text.slice(0, colon);
    const value = colon === -1 ? '' : text.slice(text[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') data.push(value);
    else if (field === 'event') name = value;
    else if (field === 'id') id = value;
  }

  return {
    push(chunk) {
      const events: ServerEvent[] = [];
      const text = decoder.write(chunk as Buffer);
      let from = 0;
      for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
        const whole = tail + text.slice(from, end);
        tail = '';
        line(whole.endsWith('\r') ? whole.slice(0, -1) : whole, events);
        from = end + 1;
      }
      tail += text.slice(from);
      return events;
    },
  };
}
