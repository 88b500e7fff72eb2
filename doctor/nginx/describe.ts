// Parts of a route that are read off the blocks around it: headers, timeouts, access rules, places.
import type { RouteFact } from '../engine/index.ts';
import { modifierOf, patternOf } from './location.ts';
import type { Configuration, Directive } from './parse.ts';
import { handshakeHeaders, headerSent } from './proxy.ts';
import { nearest, nearestList, type Scope, seconds } from './scope.ts';
import type { Request, Variables } from './variables.ts';

type Location = NonNullable<RouteFact['location']>;

export function placeOf(location: Directive): Location {
  const { file, line } = location;
  return { file, line, modifier: modifierOf(location), pattern: patternOf(location) };
}

/** A `return` or `rewrite` that answers, with the condition that it stands in. */
export function answerOf(at: Directive, within?: Directive): Location {
  const own = `${at.name} ${at.args.join(' ')}`;
  const pattern = within ? `if ${within.args.join(' ')} { ${own}; }` : own;
  return { file: at.file, line: at.line, modifier: '', pattern };
}

type Context = Pick<
  RouteFact,
  | 'upgradeHeader'
  | 'connectionHeader'
  | 'hostHeader'
  | 'handshakeHeaders'
  | 'httpVersion'
  | 'readTimeoutSeconds'
  | 'sendTimeoutSeconds'
  | 'access'
  | 'bind'
  | 'settings'
>;

/** Settings that decide on a request before its route does, or after it; the nearest one holds. */
const inScope = [
  'client_header_buffer_size',
  'large_client_header_buffers',
  'underscores_in_headers',
  'ignore_invalid_headers',
  'ssl_protocols',
  'ssl_verify_client',
  'ssl_client_certificate',
  'ssl_certificate',
  'ssl_certificate_key',
];
/** Of the whole process. */
const ofProcess = ['worker_connections', 'worker_rlimit_nofile'];

const settingOf = ({ name, args, file, line }: Directive): RouteFact['settings'][number] => ({
  directive: name,
  value: args.join(' '),
  file,
  line,
});

export function processSettings({ directives }: Configuration): RouteFact['settings'] {
  const events = directives.flatMap((item) => (item.name === 'events' ? (item.block ?? []) : []));
  return [...directives, ...events].filter(({ name }) => ofProcess.includes(name)).map(settingOf);
}

export function contextOf(scope: Scope, variables: Variables): Context {
  const bind = nearest(scope, 'proxy_bind');
  return {
    upgradeHeader: headerSent(scope, 'upgrade', variables),
    connectionHeader: headerSent(scope, 'connection', variables),
    hostHeader: headerSent(scope, 'host', variables),
    handshakeHeaders: handshakeHeaders(scope),
    httpVersion: nearest(scope, 'proxy_http_version')?.args[0] ?? null,
    readTimeoutSeconds: seconds(nearest(scope, 'proxy_read_timeout')?.args[0]),
    sendTimeoutSeconds: seconds(nearest(scope, 'proxy_send_timeout')?.args[0]),
    access: accessOf(scope),
    settings: [
      ...inScope.flatMap((name) => nearest(scope, name) ?? []),
      ...nearestList(scope, 'proxy_hide_header'),
    ].map(settingOf),
    bind: bind && bind.args[0] !== 'off' ? { file: bind.file, line: bind.line, value: bind.args.join(' ') } : null,
  };
}

function accessOf(scope: Scope): RouteFact['access'] {
  const lists = [['allow', 'deny'], ['auth_basic'], ['auth_request'], ['limit_conn'], ['limit_req']];
  return lists
    .flatMap((names) => nearestList(scope, ...names))
    .map((item) => ({
      directive: item.name,
      text: [item.name, ...item.args].join(' '),
      file: item.file,
      line: item.line,
    }));
}

export function caveatOf({ problems, missing }: Configuration): string {
  const problem = problems[0];
  if (problem) return `${problem.file}:${problem.line} ${problem.message}`;
  return missing.length > 0 ? `not read: ${missing.join(', ')}` : '';
}

export function emptyRoute(request: Request, caveat: string): RouteFact {
  const header = { value: null, sends: null, place: null };
  return {
    host: request.host,
    path: request.path,
    port: request.port,
    action: 'static',
    caveat,
    server: null,
    listens: [],
    knownNames: [],
    rejectsHandshake: null,
    location: null,
    answeredBy: null,
    status: null,
    target: null,
    upgradeHeader: header,
    connectionHeader: header,
    hostHeader: header,
    handshakeHeaders: [],
    httpVersion: null,
    readTimeoutSeconds: null,
    sendTimeoutSeconds: null,
    access: [],
    guard: null,
    bind: null,
    settings: [],
    advice: [],
  };
}
