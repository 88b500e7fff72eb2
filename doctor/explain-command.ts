// `viworks doctor explain [ID]`: what a cause or a check means, offline, from the same data that the diagnosis uses.
import type { CommandSpec } from '../agents/runtime/index.ts';
import { causes } from './causes/index.ts';
import { checks } from './checks/index.ts';
import { doctorErrors } from './errors.ts';

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
    terminal.stdout.write(id === undefined ? listing() : explain(id));
    return 0;
  },
};

function listing(): string {
  const width = Math.max(...checks.map((check) => check.id.length));
  const causeRows = causes.map((cause) => `  ${cause.code.padEnd(8)} ${cause.help.split('\n')[0] ?? ''}`);
  const checkRows = checks.map((check) => `  ${check.id.padEnd(width)} ${check.title}`);
  return ['Causes', ...causeRows, '', 'Checks', ...checkRows, ''].join('\n');
}

function explain(id: string): string {
  const cause = causes.find((item) => item.code.toLowerCase() === id.toLowerCase());
  if (cause) {
    const like = cause.lookalikes.map((item) => item.code);
    const lines = [
      `${cause.code}  (${cause.layer}, hop ${cause.hop}, ${cause.scope})`,
      '',
      cause.help,
      ...(like.length > 0 ? ['', `told apart from: ${like.join(', ')}`] : []),
    ];
    return `${lines.join('\n')}\n`;
  }
  const check = checks.find((item) => item.id === id);
  if (!check) throw doctorErrors.create('VW_DOCTOR_UNKNOWN_ID', { id });
  const needs = check.needs.join(', ');
  const after = check.dependsOn.length > 0 ? check.dependsOn.join(', ') : 'nothing';
  return `${check.id}\n\n${check.title}\n\nhop        ${check.hop}\nreads      ${needs}\ndepends on ${after}\n`;
}
