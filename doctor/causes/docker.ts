// Causes where the backend runs in a container: a published port with nothing behind it, a container that nobody restarts.
import { type CauseRule, defineCause, judge, not, sign, signs, type View } from '../engine/index.ts';
import { publishedByDocker } from './backend.ts';
import { backendCommand, on, remedy } from './texts.ts';

const { backend, parts } = signs;
const place = parts.backendPart;
const port = (view: View) => view.topology.backend.agentsPort;
const container = (view: View) => view.topology.backend.container ?? 'backend';

const proxyOwns = sign('on the host the port is held open by docker-proxy, not by the backend', (view) =>
  judge(view, ['tcp.listeners', 'be'], (rows) => {
    const own = rows.filter((row) => row.port === port(view));
    if (own.length === 0) return 'no';
    if (own.some((row) => row.process === 'docker-proxy')) return 'yes';
    return own.every((row) => row.process === null) ? 'unknown' : 'no';
  }),
);
const nothingInside = sign(
  (view) => `inside container ${container(view)} nothing listens on port ${port(view)}`,
  (view) => judge(view, ['tcp.listeners', 'be/ns:agent'], (rows) => rows.every((row) => row.port !== port(view))),
);

const doc01 = defineCause({
  code: 'DOC-01',
  name: 'port published, nothing inside',
  layer: 'docker',
  hop: 'ws-port',
  host: 'be',
  title: (view) => `port ${port(view)} is published, and nothing listens inside the container`,
  necessary: [parts.runs(place), publishedByDocker, nothingInside, backend.directFails],
  signature: [proxyOwns],
  supports: [backend.directClosed, backend.apiAnswers],
  lookalikes: [
    { code: 'BE-01', title: 'the backend never opened its port', separator: publishedByDocker },
    { code: 'BE-02', separator: nothingInside },
    { code: 'BE-05', separator: parts.runs(place) },
  ],
  predicts: ['backend.agents.listens', 'backend.agents.upgrades'],
  remedy: (view) =>
    remedy(
      'make the service in the container open its port (look at its own log), then restart it',
      on(view, 'be', `docker logs --tail 50 ${container(view)}`, backendCommand(view, 'restart')),
    ),
  help: `Docker opens a published port on the host whatever happens inside: docker-proxy accepts the connection, finds nobody in the container, and cuts it off. "The port is open" says nothing here; only the listeners in the container's own network namespace do.
It is BE-01 inside a container.`,
});

const doc05 = defineCause({
  code: 'DOC-05',
  name: 'container not restarted',
  layer: 'docker',
  hop: 'ws-port',
  host: 'be',
  title: (view) => `container ${container(view)} has ended and its restart policy is "no"`,
  necessary: [
    parts.containerIs(
      place,
      'has ended, restart policy no',
      (item) => item.state === 'exited' && item.restartPolicy === 'no',
    ),
  ],
  signature: [not('the container does not run', parts.runs(place))],
  forbids: [backend.directUpgrades],
  predicts: ['backend.process.running', 'backend.api.answers', 'backend.agents.listens', 'backend.agents.upgrades'],
  remedy: (view) =>
    remedy(
      'start it, and give it a restart policy',
      on(view, 'be', `docker update --restart unless-stopped ${container(view)}`, `docker start ${container(view)}`),
    ),
  help: `Without a restart policy a container stays down after a crash or a reboot of the host.`,
});

export const dockerCauses: readonly CauseRule[] = [doc01, doc05];
