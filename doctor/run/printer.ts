// One report to one place in one form. Writes nothing but the result.
import { writeFile } from 'node:fs/promises';
import { describe, errnoOf, type Invocation } from '../../agents/runtime/index.ts';
import type { Report, RunEvent } from '../engine/index.ts';
import { doctorErrors } from '../errors.ts';
import type { DoctorOptions } from './options.ts';

export interface Printer {
  /** For the output that is the stream itself. */
  listen(event: RunEvent): void;
  print(report: Report, recording: string | null): Promise<void>;
}

export function createPrinter({ terminal }: Invocation, options: DoctorOptions): Printer {
  const lines: string[] = [];
  return {
    listen(event) {
      if (options.output !== 'ndjson') return;
      const line = `${JSON.stringify(event)}\n`;
      if (options.outputFile === undefined) terminal.stdout.write(line);
      else lines.push(line);
    },
    async print(report) {
      const text = options.output === 'ndjson' ? lines.join('') : `${JSON.stringify(report, null, 2)}\n`;
      const file = options.outputFile;
      if (file === undefined) terminal.stdout.write(text);
      else {
        await writeFile(file, text).catch((error: unknown) => {
          throw doctorErrors.create(
            'VW_DOCTOR_OUTPUT_UNWRITABLE',
            { file, reason: errnoOf(error) ?? describe(error) },
            error,
          );
        });
      }
    },
  };
}
