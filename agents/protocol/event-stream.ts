// Server-sent events out of byte chunks, cut anywhere. Pure.

/** One event. Comments (keep-alives) give none. */
export interface ServerEvent {
  readonly name: string;
  readonly data: string;
  readonly id: string | undefined;
}

/** The events of a whole response; one that was cut short gives none. */
export function readEventStream(text: string): readonly ServerEvent[] {
  return createEventParser().push(new TextEncoder().encode(text));
}

/**
 * An incremental parser for one response: feed it chunks, it gives the events that were completed by each. See the HTML standard,
 * "Interpreting an event stream".
 */
export function createEventParser(): { push(chunk: Uint8Array): ServerEvent[] } {
  const decoder = new TextDecoder();
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
      const text = decoder.decode(chunk, { stream: true });
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
