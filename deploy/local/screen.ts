// What `viworks up` says: one aligned line a part, with how long it took.
import type { Writable } from 'node:stream';
import { BUILD } from '../../agents/runtime/index.ts';

const LABEL_WIDTH = 10;
const TEXT_WIDTH = 52;

/** Says things on the operator's terminal. */
export interface Screen {
  header(): void;
  /** `  backend    http://127.0.0.1:8080 …      ready in 0.4 s`. */
  line(label: string, text: string, note?: string): void;
  plain(text: string): void;
}

export function createScreen(stdout: Writable): Screen {
  return {
    header: () => void stdout.write(`viworks ${BUILD.version} (${BUILD.revision}) on Node ${process.versions.node}\n`),
    line(label, text, note = '') {
      const padded = note === '' ? text : `${text.padEnd(TEXT_WIDTH)} ${note}`;
      stdout.write(`  ${label.padEnd(LABEL_WIDTH)} ${padded}\n`);
    },
    plain: (text) => void stdout.write(`${text}\n`),
  };
}

/** `0.4 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
