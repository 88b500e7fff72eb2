// docs/logs.md: every sentence that our agents write to their logs, with its code.
import { MESSAGES as BACKEND } from '../../agents/backend/messages.ts';
import { LAUNCHER_MESSAGES } from '../../agents/gateway/launcher/messages.ts';
import { MESSAGES as GATEWAY } from '../../agents/gateway/messages.ts';
import { RUNTIME_MESSAGES } from '../../agents/runtime/messages.ts';
import { GENERATED, type Page, table } from './page.ts';

/** The sentences of each program, by the name that a reader knows it under. */
export const SENTENCES: Readonly<Record<string, Readonly<Record<string, { code: string; text: string }>>>> = {
  'any program': RUNTIME_MESSAGES,
  'the backend': BACKEND,
  'the gateway agent': GATEWAY,
  'the launcher': LAUNCHER_MESSAGES,
};

/** Writes down the tables. */
export function logsPage(): Page {
  const sections = Object.entries(SENTENCES).flatMap(([program, messages]) => [
    `## What ${program} says`,
    '',
    table(
      ['event', 'msg'],
      Object.values(messages).map(({ code, text }) => [`\`${code}\``, text]),
    ),
    '',
  ]);
  const text = [
    '# Log lines',
    '',
    GENERATED,
    '',
    'Our agents write one JSON object a line: `level`, `time`, `program`, `event`, `msg`, and fields that belong to the sentence.',
    '`event` is the code of the sentence: filter and alert on it. A code never changes its meaning and is never reused; the sentence in `msg` is constant',
    'too, and is for people. Where an error is behind the line, `code`, `reason` and `hint` are those of the error ([errors.md](errors.md)), and `errno` is the system’s.',
    'The doctor reads our agents by `event` alone; only lines of releases without it, and other agents, are read by their words.',
    '',
    'Codes begin with who says it: `RT_` any program, `BE_` the backend, `GW_` the gateway agent, `LA_` the launcher.',
    '',
  ];
  return { path: 'docs/logs.md', text: [...text, ...sections].join('\n') };
}
