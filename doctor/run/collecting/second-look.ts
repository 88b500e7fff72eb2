// After the live dials, where one of them went wrong at nginx: what it wrote meanwhile in its error log, which names the reason of this very dial.
import { errorLogAgain, errorLogOfBoth } from '../../probes/nginx.ts';
import { runRound } from '../../probes/round.ts';
import type { RunContext } from './context.ts';
import type { SiteView } from './rounds.ts';

/** Reading the end of a file takes milliseconds; a host that takes longer than this keeps nobody waiting, in ms. */
const AGAIN_MS = 4_000;

export async function lookAgain(context: RunContext, view: SiteView | undefined): Promise<void> {
  const { topology, sudo, store, clock, signal, log } = context;
  const link = view?.site.link;
  const before = store.get('log.tail', 'be', 'nginx-error');
  if (!view || !link || topology.nginx.supervision === 'none' || before.status !== 'known') return;
  if (!somethingFailed(context)) return;
  await log.probe({ probe: 'nginx.error-log', vantage: 'be', title: "nginx's error log after the dials" }, async () => {
    const sections = errorLogAgain(view.round, view.ask);
    const result = await runRound({ link, sections, sudo, clock, signal, deadlineMs: AGAIN_MS });
    const second = { ...view.round, atMs: result.sentMs, sections: result.sections, gap: result.gap };
    const fact = errorLogOfBoth(view.round, second, view.ask);
    return fact ? [fact] : [];
  });
}

/** A dial that nginx had to do with did not get what it asked for: only then its log is of interest, and a healthy run stays short. */
function somethingFailed({ store, topology }: RunContext): boolean {
  const seats = ['op', 'be', ...topology.gateways.map(({ id }) => `gw:${id}` as const)] as const;
  return seats.some((seat) => {
    const upgrades = (['public', 'public-agent-path'] as const).map((subject) =>
      store.get('ws.upgrade', seat, subject),
    );
    if (upgrades.some((seen) => seen.status === 'known' && seen.value.ended !== 'ok')) return true;
    const page = store.get('http.response', seat, 'public-api');
    return page.status === 'known' && (page.value.status === null || page.value.status >= 400);
  });
}
