// docs/config.md: every key of every configuration file, from the schemas that read them.
import * as z from 'zod';
import type { ConfigSpec } from '../../agents/runtime/index.ts';
import { fieldsOf, type JsonSchema } from '../../cli/config/fields.ts';
import { GENERATED, type Page, table } from './page.ts';

/** Writes down the given configurations. */
export function configPage(specs: readonly ConfigSpec[]): Page {
  const sections = specs.map((spec) => {
    const schema = z.toJSONSchema(spec.schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
    const rows = fieldsOf(schema).map((field) => [
      `\`${field.path}\``,
      field.type,
      field.default === undefined ? (field.optional ? '' : 'required') : `\`${JSON.stringify(field.default)}\``,
      spec.envPrefix === undefined || field.path.includes('[]')
        ? ''
        : `\`${spec.envPrefix}_${field.path.replaceAll('.', '_').toUpperCase()}\``,
      field.description,
    ]);
    return [
      `## ${spec.name}`,
      '',
      `${spec.summary}.`,
      '',
      table(['key', 'type', 'default', 'variable', 'meaning'], rows),
      '',
    ].join('\n');
  });
  const intro = [
    '# Configuration',
    '',
    GENERATED,
    '',
    'Sources in order: defaults, the TOML file, variables, flags. An unknown key is an error. `viworks config explain` shows where each value came from.',
    '',
  ];
  return { path: 'docs/config.md', text: [...intro, ...sections].join('\n') };
}
