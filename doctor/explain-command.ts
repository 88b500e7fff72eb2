// `viworks doctor explain [ID]`: what a cause or a check means, offline, from the same data that the diagnosis uses.
import type { CommandSpec } from '../agents/runtime/index.ts';
import { causes } from './causes/index.ts';
import { checks } from './checks/index.ts';
import { doctorErrors } from './errors.ts';
import { explainCause } from './output/index.ts';

export const explainCommand: CommandSpec = {
  name: 'explain',
  summary: 'what a cause or a check means, and what to do about it',
  arguments: [{ name: 'id', help: 'such as NGX-01 or network.tls.verifies; left out: the list', optional: true }],
  examples: [{ command: 'viworks doctor explain NGX-01', does: 'show one cause' }],
  exitCodes: [
    { code: 0, means: 'shown' },
    { code: 64, means: 'no such id' },
  ],
  async run({ args, terminal }) {
    const [id] = args;
    terminal.stdout.write(id === undefined ? listing() : explain(id, Math.min(terminal.columns || 80, 100)));
    return 0;
  },
};

function listing(): string {
  const width = Math.max(...checks.map((check) => check.id.length));
  // A code that two hosts share, or two scopes, is one line.
  const rows = new Map([...causes].reverse().map((cause) => [cause.code, cause.name]));
  const causeRows = [...rows].reverse().map(([code, name]) => `  ${code.padEnd(8)} ${name}`);
  const checkRows = checks.map((check) => `  ${check.id.padEnd(width)} ${check.title}`);
  return ['Causes', ...causeRows, '', 'Checks', ...checkRows, ''].join('\n');
}

function explain(id: string, width: number): string {
  const cause = causes.find((item) => item.code.toLowerCase() === id.toLowerCase());
  if (cause) return explainCause(cause, { causes, checks }, width);
  const check = checks.find((item) => item.id === id);
  if (!check) throw doctorErrors.create('VW_DOCTOR_UNKNOWN_ID', { id });
  const after = check.dependsOn.join(', ') || 'nothing';
  return `${check.id}\n\n${check.title}\n\nhop        ${check.hop}\nreads      ${check.needs.join(', ')}\ndepends on ${after}\n`;
}
