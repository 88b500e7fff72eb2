// What a log window leaves out: a loop's lines are those of this loop, not of the one before it that was mended.
import { expect, test } from 'vitest';
import { parseJournal } from './service-output.ts';

const line = (second: number, text: string) => `${1_700_000_000 + second}.000000 gw1 ${text}`;
const journal = (...texts: readonly string[]) => texts.map((text, second) => line(second, text)).join('\n');
const about = { sinceMs: 1_700_000_000_000, cut: false, max: 120, looping: true };
const textsOf = (text: string) => parseJournal(text, about).lines.map((item) => item.text);

const before = [
  'systemd[1]: Starting agent...',
  'perl[1]: old error',
  'systemd[1]: agent.service: Scheduled restart job, restart counter is at 1.',
  'systemd[1]: Starting agent...',
  'perl[2]: gateway ready',
  'systemd[1]: Started agent.',
];

test('what was mended before somebody stopped the unit is left out', () => {
  const now = ['systemd[1]: Stopping agent...', 'systemd[1]: Starting agent...', 'perl[3]: new error'];
  expect(textsOf(journal(...before, ...now)).some((text) => text === 'old error')).toBe(false);
  expect(textsOf(journal(...before, ...now))).toContain('new error');
});

test('the first run of the loop is kept, and nothing before it', () => {
  const now = [
    'systemd[1]: Stopped agent.',
    'systemd[1]: Starting agent...',
    'perl[3]: new error',
    'systemd[1]: agent.service: Scheduled restart job, restart counter is at 1.',
    'systemd[1]: Starting agent...',
    'perl[4]: new error again',
  ];
  expect(textsOf(journal(...before, ...now))).toEqual([
    'Starting agent...',
    'new error',
    'agent.service: Scheduled restart job, restart counter is at 1.',
    'Starting agent...',
    'new error again',
  ]);
});

test('outside of a loop the window alone decides', () => {
  const text = journal('systemd[1]: Starting agent...', 'perl[1]: hello', 'systemd[1]: Stopping agent...');
  expect(parseJournal(text, { ...about, looping: false }).lines).toHaveLength(3);
});
