// Causes in the gateway's configuration: unreadable, incomplete, or naming the wrong place. Holds for agents that end and for agents that sit idle.
import {
  allOf,
  anyOf,
  type CauseRule,
  causesOf,
  judge,
  not,
  type Sign,
  sign,
  signs,
  type View,
} from '../engine/index.ts';
import { notMerelyLatched, saysGaveUp, startLimitLatched } from './gateway-unit.ts';
import { complainsOfUrlOnly } from './gateway-url.ts';
import { checkConfig, gatewayUnit, on, remedy } from './texts.ts';
import { neverRan } from './unit-words.ts';

const { gateway, logs, parts } = signs;
const place = parts.gatewayPart;
const predicts = ['gateway.process.running', 'agents.link.up'];

const config = (view: View) => view.value('agent.config', 'gw', 'gateway');
const complaint = (view: View): string => {
  // The line that names file, line and key says more than the one that only names the code.
  const line =
    logs.lineOf(view, place, /\.(toml|ya?ml|json|conf):\d+:\d+\s/) ?? logs.lineOf(view, place, logs.configErrorPattern);
  if (line) return logs.excerpt(line.text);
  const error = config(view)?.error;
  return error
    ? `${config(view)?.path ?? ''}${error.line === null ? '' : `:${error.line}`} ${error.key ? `${error.key}: ` : ''}${error.message}`
    : '';
};

const complains: Sign = anyOf(
  (view) => `the agent says why: ${complaint(view)}`,
  logs.logSays(place, logs.configErrorPattern, 'its log says'),
  sign(['its configuration is invalid', 'its configuration file is valid'], (view) =>
    judge(view, ['agent.config', 'gw', 'gateway'], (seen) => seen.error !== null),
  ),
);
const crashes = parts.crashing(place);
const idle = allOf(
  (view) => `${parts.nameOf(view, place)} is running and makes no attempt: no socket to the backend, none being opened`,
  parts.runs(place),
  gateway.noSockets,
);
const noUse = anyOf((view) => (crashes.holds(view) === 'yes' ? crashes.claim(view) : idle.claim(view)), crashes, idle);

/** The file is not TOML at all. Without the file, the wording of the log has to tell. */
const syntax = sign(
  [
    (view) => `the file cannot be parsed: ${complaint(view)}`,
    'the file can be parsed; a key in it is missing or wrong',
  ],
  (view) => {
    const parsed = judge(view, ['agent.config', 'gw', 'gateway'], (seen) => !seen.parsed);
    if (parsed !== 'unknown') return parsed;
    const line = logs.lineOf(view, place, logs.configErrorPattern);
    if (!line) return 'unknown';
    return /syntax|parse error|unterminated|unexpected (character|token|end)/i.test(line.text) ? 'yes' : 'no';
  },
);
const parses = not(syntax);
const placeholder = sign(
  [
    (view) => `the configured URL still holds a placeholder: ${config(view)?.url ?? ''}`,
    (view) => `the configured URL holds no placeholder (${config(view)?.url ?? 'none is set'})`,
  ],
  (view) => judge(view, ['agent.config', 'gw', 'gateway'], (seen) => seen.url?.includes('${') ?? false),
);
const ranAtAll = sign('the program ran and logged something', (view) =>
  judge(view, ['unit.state', 'gw', 'gateway'], (unit) => !neverRan(unit)),
);

export const gatewayConfigCauses: readonly CauseRule[] = causesOf(
  { layer: 'configuration', hop: 'gateway', host: 'gw', predicts },
  {
    'CFG-01': {
      name: 'placeholder in the configuration',
      title: "the gateway's URL still holds a placeholder",
      necessary: [placeholder, gateway.linkDown],
      lookalikes: { 'NET-03': placeholder },
      remedy: (view) =>
        remedy('write the real URL; TOML expands no variables', [
          `url = "${view.topology.url}"`,
          ...on(view, 'gw', `systemctl restart ${gatewayUnit(view)}`),
        ]),
      help: 'A template was installed without being filled in: the agent tries to resolve a name such as ${BACKEND_URL}. A DNS failure for that name is only a consequence.',
    },
    'CFG-02': {
      name: 'configuration cannot be parsed',
      title: (view) =>
        `the gateway's configuration cannot be parsed${config(view)?.error?.line ? ` (line ${config(view)?.error?.line})` : ''}`,
      necessary: [syntax, noUse, gateway.linkDown],
      forbids: [gateway.linkUp, startLimitLatched],
      lookalikes: { 'CFG-03': syntax, 'SYS-05': ranAtAll },
      remedy: (view) =>
        remedy('correct the line', on(view, 'gw', checkConfig(view), `systemctl restart ${gatewayUnit(view)}`)),
      help: 'The file is not valid TOML at the line that the error names; none of it was used.',
    },
    'CFG-03': {
      name: 'missing or wrong key',
      title: (view) =>
        `the gateway's configuration cannot work: ${complaint(view).replace(/\/\S*\/([^/\s]+:\d)/, '$1')}`.slice(
          0,
          160,
        ),
      necessary: [complains, noUse, gateway.linkDown],
      forbids: [gateway.linkUp, placeholder, syntax, startLimitLatched, complainsOfUrlOnly],
      lookalikes: {
        'CFG-02': parses,
        'SYS-10': notMerelyLatched,
        'SYS-05': ranAtAll,
        'SYS-21': not('it never tried: its log does not say that it gave up', saysGaveUp),
        loop: ['the network keeps it from connecting', noUse],
      },
      remedy: (view) =>
        remedy('correct the key that the message names; until then neither the network nor the backend matters', [
          ...on(view, 'gw', checkConfig(view), `systemctl restart ${gatewayUnit(view)}`),
        ]),
      help: `A key is missing or has a value that cannot work. Our own agent ends with the error (the unit is failed or restarting, the last line names file, line and key).
Older agents log it once and stay "active (running)" without ever opening a socket: the unit's state proves nothing; the missing attempts and the one log line do.
Distinguished from "gave up" (SYS-21) by the log, from network faults by the attempts that are not made.`,
    },
  },
);
