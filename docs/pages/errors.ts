// docs/errors.md: every code of every catalogue, with its hint, retry class and exit code.
import { globSync } from 'node:fs';
import type { ErrorCatalogue, ErrorSpec } from '../../agents/runtime/index.ts';
import { GENERATED, type Page } from './page.ts';

const RETRY = { never: 'not before something changed', now: 'at once', later: 'after a while' } as const;

/** Loads every room's errors.ts and writes down its rows. */
export async function errorsPage(root: string): Promise<Page> {
  const files = globSync('{agents,cli,deploy,doctor}/**/errors.ts', { cwd: root }).sort();
  const specs = new Map<string, { spec: ErrorSpec; file: string }>();
  for (const file of files) {
    const module = (await import(`${root}${file}`)) as Record<string, unknown>;
    for (const value of Object.values(module)) {
      if (!isCatalogue(value)) continue;
      for (const [code, spec] of Object.entries(value.specs)) specs.set(code, { spec, file });
    }
  }
  const sections = [...specs]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { spec, file }]) =>
      [
        `### \`${code}\``,
        '',
        `> ${spec.message}`,
        '',
        `- What to do: ${spec.hint}`,
        `- Trying again helps: ${RETRY[spec.retry]}`,
        `- Exit code: ${spec.exitCode ?? 1}`,
        `- Declared in \`${file}\``,
        '',
      ].join('\n'),
    );
  const intro = [
    '# Errors',
    '',
    GENERATED,
    '',
    'Every error that viworks prints, logs or answers carries one of these codes. A code is never reused for something else.',
    'Words in braces are filled in with what happened.',
    '',
  ];
  return { path: 'docs/errors.md', text: `${intro.join('\n')}\n${sections.join('\n')}` };
}

function isCatalogue(value: unknown): value is ErrorCatalogue<string> {
  return typeof value === 'object' && value !== null && 'specs' in value && 'create' in value;
}
