// docs/wire.md: the frames as their schemas have them, with an example of each from the golden files.
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import {
  CLOSE,
  FROM_BACKEND,
  FROM_GATEWAY,
  frame,
  limits,
  OUTPUT_HEADER_BYTES,
  PROTOCOL_VERSION,
  SUBPROTOCOL,
} from '../../agents/protocol/index.ts';
import { fieldsOf, type JsonSchema } from '../../cli/config/fields.ts';
import { GENERATED, type Page, table } from './page.ts';

/** Writes down every frame, limit and close code. */
export function wirePage(root: string): Page {
  const frames = frame.options.map((option) => {
    const type = option.shape.type.value;
    const schema = z.toJSONSchema(option, { io: 'input' }) as JsonSchema;
    const fields = fieldsOf(schema).filter((field) => field.path !== 'type');
    const golden = readFileSync(`${root}agents/protocol/golden/v${PROTOCOL_VERSION}/${type}.json`, 'utf8').trimEnd();
    const senders = [
      FROM_BACKEND.has(type) ? 'backend → gateway' : '',
      FROM_GATEWAY.has(type) ? 'gateway → backend' : '',
    ];
    return [
      `### ${type}`,
      '',
      `${senders.filter(Boolean).join(', ')}`,
      '',
      table(
        ['field', 'type', ''],
        fields.map((field) => [`\`${field.path}\``, field.type, field.optional ? 'may be absent' : '']),
      ),
      '',
      '```json',
      golden,
      '```',
      '',
    ].join('\n');
  });
  const text = [
    '# The wire',
    '',
    GENERATED,
    '',
    `Version ${PROTOCOL_VERSION}, subprotocol \`${SUBPROTOCOL}\`. Text frames are JSON objects told apart by \`type\`; unknown fields are ignored,`,
    'a wrong type closes the link with 4105. A link opens with `session.challenge`, `session.hello`, `session.welcome`, in that order.',
    '',
    '## Output frames',
    '',
    `Output travels in binary frames with a header of ${OUTPUT_HEADER_BYTES} bytes, big endian, followed by at most ${limits.MAX_OUTPUT_BYTES} bytes:`,
    '',
    table(
      ['bytes', 'field', 'meaning'],
      [
        ['0', 'type u8', 'always 1'],
        ['1', 'stream u8', '0 out, 1 err'],
        ['2–3', 'flags u16', '0'],
        ['4–7', 'taskRef u32', 'as bound by `task.started` on this link'],
        ['8–15', 'offset u64', 'of the first byte, absolute in the stream of the task'],
        ['16–19', 'sequence u32', 'counts the binary frames of this link'],
        ['20–23', 'length u32', 'of the bytes that follow'],
      ],
    ),
    '',
    '## Close codes',
    '',
    table(
      ['code', 'name', 'come back', 'meaning'],
      Object.entries(CLOSE).map(([name, spec]) => [
        String(spec.code),
        name,
        spec.comeBack === 'back-off' ? 'with back-off' : 'after an operator acted (retry each 10 minutes)',
        spec.meaning,
      ]),
    ),
    '',
    '## Limits',
    '',
    table(
      ['name', 'value'],
      Object.entries(limits).map(([name, value]) => [`\`${name}\``, String(value)]),
    ),
    '',
    '## Frames',
    '',
    ...frames,
  ].join('\n');
  return { path: 'docs/wire.md', text };
}
