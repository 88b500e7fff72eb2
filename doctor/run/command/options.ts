// What was typed, as a value: which installation, which output, what to record. Refuses what does not fit together.
import type { Invocation } from '../../../agents/runtime/index.ts';
import { doctorErrors } from '../../errors.ts';

export const OUTPUTS = ['tui', 'plain', 'short', 'json', 'ndjson'] as const;
export type Output = (typeof OUTPUTS)[number];

export interface DoctorOptions {
  readonly inventory: string | undefined;
  readonly backend: string | undefined;
  readonly gateways: readonly string[];
  readonly url: URL | undefined;
  readonly local: boolean;
  readonly output: Output;
  readonly outputFile: string | undefined;
  readonly failOn: 'fault' | 'warn' | 'never';
  readonly replay: string | undefined;
  /** A file, `false` for none, undefined for the usual place. */
  readonly record: string | false | undefined;
  readonly tokenFile: string | undefined;
  readonly trustFile: string | undefined;
  readonly sudo: boolean;
  readonly inline: boolean;
  readonly all: boolean;
}

/** Smallest terminal that the screen fits; below it a list says more. */
const MIN_COLUMNS = 60;
const MIN_ROWS = 15;

export function readOptions(invocation: Invocation): DoctorOptions {
  const { options } = invocation;
  const text = (name: string): string | undefined => {
    const value = options[name];
    return typeof value === 'string' ? value : undefined;
  };
  const list = (name: string): readonly string[] => {
    const value = options[name];
    return typeof value === 'object' ? value : typeof value === 'string' ? [value] : [];
  };
  const backend = text('backend');
  const gateways = list('gateway');
  const url = urlOf(text('url'));
  const local = options.local === true;
  const inventory = text('inventory');
  const replay = text('replay');
  const ways = [
    inventory !== undefined,
    backend !== undefined || gateways.length > 0 || url !== undefined,
    local,
    replay !== undefined,
  ];
  if (ways.filter(Boolean).length > 1) {
    throw usage('name the installation in one way only: -i, --backend/--gateway/--url, --local or --replay');
  }
  if ((backend !== undefined || gateways.length > 0 || url) && !(backend !== undefined && url)) {
    throw usage('without an inventory both --backend HOST and --url wss://NAME/ws/agent are needed');
  }
  return {
    inventory,
    backend,
    gateways,
    url,
    local,
    output: outputOf(asked(invocation), invocation),
    outputFile: text('outputFile'),
    failOn: text('failOn') === 'warn' ? 'warn' : text('failOn') === 'never' ? 'never' : 'fault',
    replay,
    record: options.record === false ? false : text('record'),
    // VIWORKS_TOKEN_FILE is an operator's, whose token the doctor never sends.
    tokenFile: text('tokenFile'),
    trustFile: text('trustFile'),
    sudo: options.sudo === true,
    inline: options.inline === true,
    all: options.all === true,
  };
}

/** `--short` and `--plain` are short for `--output …`. */
function asked({ options }: Invocation): string | undefined {
  if (options.short === true) return 'short';
  if (options.plain === true) return 'plain';
  return typeof options.output === 'string' ? options.output : undefined;
}

function urlOf(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url?.protocol === 'wss:' || url?.protocol === 'ws:') return url;
  throw usage(`--url: ${JSON.stringify(text)} is not a ws:// or wss:// URL`);
}

/** Decided once, before anything of the screen is loaded. A terminal that cannot show it gets the same words as lines. */
function outputOf(asked: string | undefined, { terminal, env, options }: Invocation): Output {
  const known = OUTPUTS.find((name) => name === asked);
  if (asked !== undefined && !known) throw usage(`--output: ${asked} is none of ${OUTPUTS.join(', ')}`);
  if (known && known !== 'tui') return known;
  const reader = env.INK_SCREEN_READER === 'true' || options.screenReader === true;
  // A pty of 0 columns does not know its size, which is no reason to think it small.
  const columns = terminal.columns || 80;
  const rows = terminal.rows || 24;
  const fits = terminal.interactive && !reader && columns >= MIN_COLUMNS && rows >= MIN_ROWS;
  return fits && options.outputFile === undefined ? 'tui' : 'plain';
}

export function usage(problem: string): Error {
  return doctorErrors.create('VW_DOCTOR_USAGE', { problem });
}
