// What the operator sees of a running task: its bytes on the right stream, or the events as JSON lines.
import type { Terminal } from '../../agents/runtime/index.ts';
import type { TaskEvent } from '../api/follow.ts';
import { writeThrough } from './sink.ts';

/** Shows events; resolves when the reader has room for more. */
export interface Viewer {
  show(event: TaskEvent): Promise<void>;
  /** A line of ours on stderr, on a line of its own. */
  note(text: string): void;
}

export function createViewer(terminal: Terminal, json: boolean): Viewer {
  // Whether the last byte shown left the cursor in the middle of a line.
  let midLine = false;
  const note = (text: string): void => {
    const apart = midLine && terminal.stderr.isTTY === true ? '\n' : '';
    midLine = false;
    terminal.stderr.write(`${apart}viworks: ${text}\n`);
  };
  return {
    note,
    async show(event) {
      if (json) {
        await writeThrough(terminal.stdout, `${JSON.stringify(asJson(event))}\n`);
        return;
      }
      switch (event.kind) {
        case 'output':
          await writeThrough(event.stream === 'out' ? terminal.stdout : terminal.stderr, event.bytes);
          midLine = event.bytes.at(-1) !== 0x0a;
          return;
        case 'gap':
          note(
            `bytes ${event.from} to ${event.to} of ${event.stream === 'out' ? 'stdout' : 'stderr'} are lost: ${event.reason}`,
          );
          return;
        // Into a file, stderr is the command's own and stays byte-exact: the stream heals by itself.
        case 'interrupted':
          if (terminal.stderr.isTTY) note(`${event.reason}; the task goes on, connecting again …`);
          return;
        case 'resumed':
          if (terminal.stderr.isTTY) note('connected again; nothing is lost');
          return;
        default:
          return;
      }
    },
  };
}

function asJson(event: TaskEvent): Record<string, unknown> {
  const { kind, ...fields } = event;
  if (event.kind !== 'output') return { event: kind, ...fields };
  return { event: kind, stream: event.stream, offset: event.offset, data: event.bytes.toString('base64') };
}
