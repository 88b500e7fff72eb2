// Who made an answer that came through nginx: nginx itself, the program behind it, or a server block of somebody else.
import { judge, some, type Tri, type UpgradeObservation, type View } from '../vocabulary/index.ts';
import { backendSigns, upgraded } from './backend.ts';
import { nginxSigns } from './nginx.ts';

const seats = ['gw', 'be', 'op'] as const;

/** The answer that counts for this gateway: its own, else the first that fails, else any. */
export function answerThrough(view: View): UpgradeObservation | null {
  const own = view.value('ws.upgrade', 'gw', 'public');
  if (own && own.status !== null) return own;
  const seen = seats.flatMap((seat) => view.value('ws.upgrade', seat, 'public') ?? []);
  return seen.find((one) => !upgraded(one)) ?? seen[0] ?? null;
}

/** nginx's own error page: what stands behind it never sends that, unless it is an nginx too. */
const ownPage = /<center>(nginx|openresty|angie|freenginx)\b/i;

/** Lines in which nginx says that it turned a request down itself. */
const ownRefusal =
  /access forbidden by|auth request unexpected status|no user\/password|password mismatch|limiting (requests|connections)|worker_connections are not enough|Too many open files|bind\(.*\) failed|connect\(\) (to .* )?failed|no live upstreams|no resolver defined|could not be resolved|SSL_do_handshake\(\) failed/i;

/** Rules of the route that answer by themselves, by status. */
const ruleOf: Readonly<Record<number, RegExp>> = {
  401: /^auth_/,
  403: /^(allow|deny|auth_request)$/,
  429: /^limit_/,
  503: /^limit_/,
};

/** Whether nginx made this status itself. Open where neither the page, the log, the route nor the port behind it tells. */
export function madeByNginx(view: View, seen: UpgradeObservation): Tri {
  if (seen.status === null || seen.status === 101) return 'no';
  if (ownPage.test(seen.body)) return 'yes';
  const direct = view.value('ws.upgrade', 'be', 'direct');
  if (direct?.status === seen.status) return 'no';
  const route = nginxSigns.routeOf(view);
  const rule = ruleOf[seen.status];
  const isOwn = route?.action === 'return' || route?.action === 'static' || route?.action === 'denied';
  const byRoute = isOwn || (rule !== undefined && (route?.access.some((item) => rule.test(item.directive)) ?? false));
  if (byRoute && direct?.status === 101) return 'yes';
  if (seen.status === 502 || seen.status === 504) return 'yes';
  const asked = `"GET ${seen.path} `;
  return some([
    judge(view, ['log.tail', 'be', 'nginx-error'], (tail): Tri => {
      // Where the log was looked at after our dials, what it said before them is about another answer.
      const told = tail.lines.some(
        (line) => line.late === tail.again && line.text.includes(asked) && ownRefusal.test(line.text),
      );
      return told && tail.sinceMs !== null ? 'yes' : 'unknown';
    }),
  ]);
}

/** nginx turned the upgrade down, and not because the port behind it is down: then the port and what it would say are not the question. */
export function refusedAtRoute(view: View): Tri {
  const seen = answerThrough(view);
  if (!seen) return 'unknown';
  const made = madeByNginx(view, seen);
  if (made !== 'yes' || (seen.status !== 502 && seen.status !== 504)) return made;
  return backendSigns.directUpgrades.holds(view) === 'yes' ? 'yes' : 'unknown';
}
