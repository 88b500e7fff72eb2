// What stands below a command's options: examples, exit codes in their order, and where to go next. Pure.
import type { CommandSpec } from '../agents/runtime/index.ts';

/** The last part of a help page. */
export function renderNotes(spec: CommandSpec): string {
  const wide = Math.max(0, ...spec.examples.map((example) => example.command.length));
  const longest = wide + Math.max(0, ...spec.examples.map((example) => example.does.length));
  const examples = spec.examples.map((example) =>
    wide > 56 || longest > 100
      ? `  ${example.command}\n      ${example.does}`
      : `  ${example.command.padEnd(wide)}   ${example.does}`,
  );
  const codes = [...spec.exitCodes]
    .sort((a, b) => a.code - b.code)
    .map((row) => `  ${String(row.code).padStart(3)}  ${row.means}`);
  const sections = [
    examples.length > 0 ? ['Examples:', ...examples] : [],
    codes.length > 0 ? ['Exit codes:', ...codes] : [],
    spec.seeAlso ? [`See also: ${spec.seeAlso.join(' · ')}`] : [],
  ];
  return sections
    .filter((section) => section.length > 0)
    .map((section) => section.join('\n'))
    .join('\n\n');
}
