// One report to one place in one form. Writes nothing but the result.
import { writeFile } from 'node:fs/promises';
import { type Invocation, systemText, terminalText } from '../../../agents/runtime/index.ts';
import type { Report, RunEvent } from '../../engine/index.ts';
import { doctorErrors } from '../../errors.ts';
import { renderJson, renderPlain, renderShort, writeEvent } from '../../output/index.ts';
import type { DoctorOptions } from './options.ts';

/** Prose is not wrapped beyond this: longer lines are hard to read however wide the terminal is. */
const MAX_WIDTH = 120;

export interface Printer {
  /** For the output that is the stream itself. */
  listen(event: RunEvent): void;
  print(report: Report, recording: string | null): Promise<void>;
}

export function createPrinter({ terminal }: Invocation, options: DoctorOptions): Printer {
  const file = options.outputFile;
  const stream: string[] = [];
  const render = (report: Report, recording: string | null): string => {
    if (options.output === 'json') return renderJson(report);
    if (options.output === 'short') return renderShort(report);
    if (options.output === 'ndjson') return stream.join('');
    return renderPlain(report, {
      colour: file === undefined && terminal.colour.stdout,
      width: terminal.interactive ? Math.min(terminal.columns || 80, MAX_WIDTH) : MAX_WIDTH,
      all: options.all,
      recording: recording ?? undefined,
    });
  };
  return {
    listen(event) {
      if (options.output !== 'ndjson') return;
      if (file === undefined) terminal.stdout.write(writeEvent(event));
      else stream.push(writeEvent(event));
    },
    async print(report, recording) {
      const text = render(report, recording);
      if (file === undefined) {
        terminal.stdout.write(text);
        return;
      }
      await writeFile(file, terminalText(text, false)).catch((error: unknown) => {
        throw doctorErrors.create('VW_DOCTOR_OUTPUT_UNWRITABLE', { file, reason: systemText(error) }, error);
      });
    },
  };
}
