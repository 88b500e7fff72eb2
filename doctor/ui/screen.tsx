// The screen's entry; loaded only when it was chosen.
import type { Invocation } from '../../agents/runtime/index.ts';
import type { Report } from '../engine/index.ts';
import type { Recording } from '../output/index.ts';
import type { Installation } from '../run/installation.ts';
import type { DoctorOptions } from '../run/options.ts';

export interface ScreenOptions {
  readonly invocation: Invocation;
  readonly options: DoctorOptions;
}

export async function runScreen(_: ScreenOptions & { readonly installation: Installation }): Promise<number> {
  return 1;
}

export async function showReport(
  _: ScreenOptions & { readonly recorded: Recording; readonly report: Report },
): Promise<number> {
  return 1;
}
