// `viworks doctor graph`: which check stands on which, as text or for Graphviz.
import type { CommandSpec } from '../agents/runtime/index.ts';
import { checks } from './checks/index.ts';
import { hops } from './engine/index.ts';

export const graphCommand: CommandSpec = {
  name: 'graph',
  summary: 'the hops of the path and what each check depends on',
  options: [{ flags: '--dot', help: 'for Graphviz' }],
  examples: [{ command: 'viworks doctor graph --dot | dot -Tsvg > checks.svg', does: 'draw it' }],
  exitCodes: [{ code: 0, means: 'printed' }],
  async run({ options, terminal }) {
    terminal.stdout.write(options.dot === true ? dot() : text());
    return 0;
  },
};

function text(): string {
  return hops
    .map((hop) => {
      const own = checks.filter((check) => check.hop === hop.id);
      const rows = own.map(
        (check) => `  ${check.id}${check.dependsOn.length > 0 ? `  ← ${check.dependsOn.join(', ')}` : ''}`,
      );
      return [`${hop.id}  ${hop.label}`, ...rows].join('\n');
    })
    .join('\n')
    .concat('\n');
}

function dot(): string {
  const edges = checks.flatMap((check) => check.dependsOn.map((other) => `  "${other}" -> "${check.id}";`));
  return ['digraph checks {', '  rankdir=LR;', ...edges, '}', ''].join('\n');
}
