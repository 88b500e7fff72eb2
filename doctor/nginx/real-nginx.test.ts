// Our router against the real nginx: random configurations, asked over a socket and asked of routeRequest. What we do not know must be said
// to be unknown. `npm run faults:nginx` runs a thousand of them.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  fillIn,
  httpLevels,
  type Question,
  type World,
  worldArbitrary,
} from '../../test/support/nginx/configurations.ts';
import { type Answer, ask, type Bench, createBench, nginxBinary } from '../../test/support/nginx/real-nginx.ts';
import type { RouteFact } from '../engine/index.ts';
import { parseNginx } from './parse.ts';
import { routeRequest } from './route.ts';

const cases = Number(process.env.VIWORKS_TEST_NGINX_CASES ?? 60);
const seed = Number(process.env.VIWORKS_TEST_SEED ?? 20261128);
/** One nginx for so many configurations: starting it is what costs. */
const batch = 20;

interface Expected {
  readonly status: number;
  readonly body: string | null;
  /** Programs one of which must have answered; null = nginx itself. */
  readonly ports: readonly number[] | null;
}

interface Outcome {
  compared: number;
  unknown: number;
  readonly differences: string[];
}

/** Null where nothing may be expected. */
function expected(route: RouteFact, dead: number): Expected | null {
  const isDead = (of: RouteFact['target']) => of?.addresses.some((address) => address.port === dead) ?? false;
  if (route.action === 'undecided') return null;
  if (route.action === 'no-server') return { status: 0, body: null, ports: null };
  if (
    route.action !== 'denied' &&
    route.guard &&
    (isDead(route.guard.target) || (route.guard.target?.addresses.length ?? 1) === 0)
  )
    return { status: 500, body: null, ports: null };
  if (route.action === 'static') return { status: route.status ?? 404, body: null, ports: null };
  if (route.status === 444) return { status: 0, body: null, ports: null };
  if (route.action !== 'proxy') return { status: route.status ?? 0, body: null, ports: null };
  if (isDead(route.target)) return { status: 502, body: null, ports: null };
  const addresses = route.target?.addresses ?? [];
  if (addresses.length === 0) return null;
  const { upgradeHeader, connectionHeader, hostHeader, target } = route;
  const given = (text: string | null) => text || null;
  const sent = [
    target?.upstreamPath.split('?')[0],
    given(upgradeHeader.sends),
    given(connectionHeader.sends),
    hostHeader.sends,
  ];
  return { status: 200, body: JSON.stringify(sent), ports: addresses.map((address) => address.port) };
}

function differs(route: RouteFact, wanted: Expected, got: Answer): string | null {
  const [port, path = '', ...sent] = got.body.startsWith('[') ? (JSON.parse(got.body) as [number, string]) : [0];
  const body = wanted.ports ? JSON.stringify([path.split('?')[0], ...sent]) : null;
  const location = route.location && !/^(return|rewrite) /.test(route.location.pattern) ? route.location : null;
  const at = location ? `L${location.line}` : `S${route.server?.line ?? 0}`;
  const isMarked = got.at !== '' && wanted.status !== 400 && route.guard === null;
  if (got.status !== wanted.status) return `status ${wanted.status}`;
  if (body !== wanted.body) return `request ${wanted.body ?? ''}`;
  if (wanted.ports && !wanted.ports.includes(port)) return `program ${wanted.ports.join(' or ')}`;
  return isMarked && got.at !== at && !got.body.startsWith('[') === (wanted.ports === null) ? `block ${at}` : null;
}

describe.skipIf(!nginxBinary)('against the real nginx', () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await createBench();
  });
  afterAll(() => bench.close());

  async function compare(world: World, port: number, text: string): Promise<Outcome> {
    const configuration = parseNginx({ entry: '/n', files: [{ path: '/n', text, mtimeMs: null }], unreadable: [] });
    expect(configuration.problems).toEqual([]);
    const outcome: Outcome = { compared: 0, unknown: 0, differences: [] };
    for (const question of world.questions) {
      const route = routeRequest(
        configuration,
        { ...question, port, tls: false, userAgent: 'viworks-test' },
        { agentsPort: 1, heartbeatSeconds: 1, version: null },
      );
      const wanted = expected(route, bench.programs.dead);
      if (!wanted) {
        outcome.unknown += 1;
        continue;
      }
      outcome.compared += 1;
      const got = await ask(port, question);
      const wrong = differs(route, wanted, got);
      if (wrong) outcome.differences.push(describeDifference(question, wrong, got, route, text));
    }
    return outcome;
  }

  test(`${cases} configurations: the same server, location, status, program and headers`, async () => {
    const outcomes: Outcome[] = [];
    for (let done = 0; done < cases; done += batch) {
      const level = httpLevels[(done / batch) % httpLevels.length] ?? [];
      const worlds = fc.sample(worldArbitrary(level), { seed: seed + done, numRuns: Math.min(batch, cases - done) });
      const { programs } = bench;
      const fill = (lines: readonly string[], id: number, port: number) =>
        lines.map((line) => fillIn(line, { id, port, programs }));
      const served = await bench.serve(
        (ports) =>
          [...level, ...worlds.flatMap(({ lines }, id) => fill(lines.slice(level.length), id, ports[id] ?? 0))].join(
            '\n',
          ),
        worlds.length,
      );
      try {
        const asked = worlds.map((world, id) => {
          const port = served.ports[id] ?? 0;
          return compare(world, port, `http {\n${fill(world.lines, id, port).join('\n')}\n}\n`);
        });
        outcomes.push(...(await Promise.all(asked)));
      } finally {
        await served.stop();
      }
    }
    const differences = outcomes.flatMap((outcome) => outcome.differences);
    expect(differences.slice(0, 3).join('\n\n'), `${differences.length} differences`).toBe('');
    const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0);
    // Unknown is allowed, as an exception.
    expect(sum((outcome) => outcome.unknown)).toBeLessThan(sum((outcome) => outcome.compared) * 0.1);
  }, 300_000);
});

function describeDifference(
  ...[question, wrong, got, route, text]: readonly [Question, string, Answer, RouteFact, string]
) {
  const asked = `${question.host}${question.path} at ${question.address} from ${question.client}${question.upgrade ? ', upgrade' : ''}`;
  return `${asked}: we say ${wrong} (${route.action}, line ${route.location?.line ?? '-'}), nginx ${got.status} ${got.at} ${got.body.slice(0, 100)}\n${text}`;
}
