// docs/checks.md: every cause that the doctor can name, and every check, from the catalogues themselves.
import { causes } from '../../doctor/causes/index.ts';
import { checks } from '../../doctor/checks/index.ts';
import { GENERATED, type Page, table } from './page.ts';

const SCOPE = {
  active: 'breaks something now',
  latent: 'works now, will not after the next restart or renewal',
  sight: 'keeps the doctor from looking; breaks nothing itself',
} as const;

/** Writes down causes by layer, then the checks in the order of the path. */
export function checksPage(): Page {
  // A code that two hosts or two scopes share is one heading, and thus one anchor.
  const layers = [...new Set(causes.map((cause) => cause.layer))];
  const sections = layers.flatMap((layer) => [
    `## Causes: ${layer}`,
    '',
    ...causes
      .filter((cause, at) => cause.layer === layer && causes.findIndex(({ code }) => code === cause.code) === at)
      .flatMap((cause) => [
        `### ${cause.code}`,
        '',
        cause.help,
        '',
        `- Hop: ${cause.hop}; ${SCOPE[cause.scope]}`,
        ...(cause.lookalikes.length > 0
          ? [`- Told apart from: ${cause.lookalikes.map(({ code }) => code).join(', ')}`]
          : []),
        ...(cause.followsFrom.length > 0 ? [`- May itself follow from: ${cause.followsFrom.join(', ')}`] : []),
        '',
      ]),
  ]);
  const rows = checks.map((check) => [
    `\`${check.id}\``,
    check.title,
    check.hop,
    check.outage ? 'outage' : 'worth a look',
  ]);
  const text = [
    '# What the doctor knows',
    '',
    GENERATED,
    '',
    '`viworks doctor explain CODE` prints a cause offline. Codes and ids are never reused.',
    '',
    ...sections,
    '## Checks',
    '',
    'Each is a sentence that ought to be true. A check that fails is a finding; findings are symptoms until a cause explains them.',
    '',
    table(['id', 'ought to be true', 'hop', 'when not'], rows),
    '',
  ];
  return { path: 'docs/checks.md', text: text.join('\n') };
}
