// Causes in the backend's process and its ports: the rows BE-01 to BE-10 of the catalogue.
import { MESSAGES } from '../../agents/backend/messages.ts';
import {
  anyOf,
  type CauseRule,
  causesOf,
  judge,
  not,
  sharers,
  sign,
  signs,
  type Tri,
  type View,
} from '../engine/index.ts';
import { backendCommand, backendUnit, deployAgain, on, remedy } from './texts.ts';
import { bringBack, downSign, downWord, neverRan, unitDown } from './unit-words.ts';

const { backend, identity, logs, parts } = signs;
const port = (view: View) => view.topology.backend.agentsPort;
const backendRuns = parts.runs(parts.backendPart);

/** The configuration, or a LISTEN row of the backend's own, names another port than the contract's. */
export const otherPort = sign(
  [
    (view) => {
      const { ports, certain } = backend.otherBackendPorts(view);
      const configured = view.value('agent.config', 'be', 'backend')?.agentsPort;
      return certain && ports.length > 0
        ? `the backend listens on port ${ports[0]} instead of ${port(view)}`
        : `the backend is configured for port ${configured ?? ports[0] ?? 'another'} instead of ${port(view)}`;
    },
    (view) => `the backend is configured for port ${port(view)} and listens on no other`,
  ],
  (view) => {
    const rows = judge(view, ['tcp.listeners', backend.backendSeat(view)], (): Tri => {
      const { ports, certain } = backend.otherBackendPorts(view);
      if (ports.length === 0) return 'no';
      return certain ? 'yes' : 'unknown';
    });
    // The kernel outranks the file: what is configured may not be what runs.
    if (rows === 'yes') return 'yes';
    const config = judge(view, ['agent.config', 'be', 'backend'], (seen): Tri => {
      if (seen.agentsPort === null) return 'unknown';
      return seen.agentsPort === port(view) ? 'no' : 'yes';
    });
    const known = config !== 'unknown' && view.read('agent.config', 'be', 'backend').status === 'known';
    return known ? config : rows;
  },
);
const noOtherPort = not(otherPort);

/** The port is published by a container: then the same fault carries Docker's code. */
export const publishedByDocker = sign(
  [
    (view) => `container ${view.topology.backend.container ?? 'backend'} publishes port ${port(view)}`,
    (view) => `no container publishes port ${port(view)}`,
  ],
  (view) => {
    if (view.topology.backend.supervision !== 'docker') return 'no';
    return parts
      .containerIs(parts.backendPart, '', (item) => item.ports.some((one) => one.hostPort === port(view)))
      .holds(view);
  },
);

const claimsToListen = logs.logSays(
  parts.backendPart,
  { event: MESSAGES.agentsListening.code, elsewhere: logs.listeningPattern },
  'its log claims otherwise, and the kernel outranks the log',
);

const neverAccepts = sign([backend.queueRises.claim, backend.queueRises.denial], (view) => {
  const rises = backend.queueRises.holds(view);
  if (rises !== 'unknown') return rises;
  const waiting = judge(view, ['tcp.listeners', backend.backendSeat(view)], (rows) =>
    rows.some((row) => row.port === port(view) && row.recvQ > 0),
  );
  return waiting === 'yes' && backend.directSilent.holds(view) === 'yes' ? 'yes' : 'unknown';
});

const directAnswered = sign('a direct dial is answered', (view) =>
  judge(view, ['ws.upgrade', 'be', 'direct'], (seen) => seen.status !== null),
);

const stopped = downSign(
  parts.backendPart,
  unitDown(parts.backendPart, (view) => !view.topology.inferred.includes('backend.unit')),
  (view) =>
    parts
      .containerIs(
        parts.backendPart,
        '',
        (item) => item.state === 'exited' && item.restartPolicy !== 'no' && [0, 137, 143].includes(item.exitCode),
      )
      .holds(view),
);

/** Then a dial that hangs may hang at the other one. */
const sharedByOthers = sign('several processes hold the port', (view) =>
  judge(view, ['tcp.listeners', backend.backendSeat(view)], (rows) => sharers(rows, port(view)).length > 1),
);

/** A look at the stranger, and its end; a unit is stopped as such, else it would come back. */
function stopStranger(view: View): readonly string[] {
  const row = backend.foreignHolder(view);
  const look = `ss -ltnp | grep :${row?.port ?? port(view)}`;
  if (row?.unit?.endsWith('.service')) return [look, `systemctl stop ${row.unit}`];
  return row?.pid == null ? [look] : [look, `kill ${row.pid}`];
}

const addressInUse = logs.logSays(parts.backendPart, /EADDRINUSE|address already in use/i, 'its log says');
const noSpaceLine = logs.logSays(parts.backendPart, /ENOSPC|no space left/i, 'its log says');
const configComplaint = anyOf(
  (view) => {
    const file = view.value('agent.config', 'be', 'backend');
    const line = logs.lineOf(view, parts.backendPart, logs.configErrorPattern);
    return line
      ? `its last words are about the configuration: ${logs.excerpt(line.text)}`
      : `its configuration is invalid: ${file?.error?.message ?? ''}`;
  },
  logs.logSays(parts.backendPart, logs.configErrorPattern, 'its log says'),
  sign(['its configuration is invalid', 'its configuration file is valid'], (view) =>
    judge(view, ['agent.config', 'be', 'backend'], (config) => config.error !== null),
  ),
);

export const backendCauses: readonly CauseRule[] = causesOf(
  { layer: 'backend', hop: 'ws-port', host: 'be' },
  {
    'BE-01': {
      about: 'backend',
      name: 'WebSocket port never opened',
      title: (view) => `the backend runs and never opened its WebSocket port ${port(view)}`,
      necessary: [backendRuns, backend.apiAnswers, backend.agentsNotListening],
      signature: [backend.directFails],
      supports: [claimsToListen],
      forbids: [otherPort, publishedByDocker, parts.startedWithin(parts.backendPart, 5)],
      lookalikes: { 'BE-10': noOtherPort, 'BE-05': backend.apiAnswers, 'NET-08': backend.agentsNotListening },
      predicts: ['backend.agents.listens', 'backend.agents.upgrades', 'backend.health.good'],
      remedy: (view) =>
        remedy(
          'start or install a backend build that opens its WebSocket listener; a restart helps only if the program on disk is newer than the running one',
          [...on(view, 'be', backendCommand(view, 'restart'), `ss -ltn | grep :${port(view)}`)],
        ),
      help: `The process lives and its API answers, but the WebSocket server was never started: the kernel has no LISTEN row for its port.
A log line such as "WebSocket server started" proves nothing; the kernel's table does.
Distinguished from BE-10 by the configured port, from NET-08 (a firewall that rejects) by the missing LISTEN row, from BE-05 by the API that answers.
Fix the build: the server loop has to run, and failing to bind has to end the process.`,
    },
    'BE-02': {
      about: 'backend',
      name: 'listening but never accepting',
      title: (view) => `port ${port(view)} is bound, and nothing ever accepts its connections`,
      necessary: [backend.agentsListens, neverAccepts, backend.directFails, backend.apiAnswers],
      signature: [
        backendRuns,
        anyOf(
          'a connection gets no answer, or the full accept queue lets none in',
          backend.directSilent,
          backend.directConnectTimeout,
        ),
      ],
      supports: [parts.processIn(parts.backendPart, 'SD', 'sleeps (state S)')],
      forbids: [parts.processIn(parts.backendPart, 'T', 'is stopped (state T)'), directAnswered, sharedByOthers],
      lookalikes: {
        'BE-03': backend.apiAnswers,
        'BE-04': backend.apiAnswers,
        'NET-07': neverAccepts,
        http: ['the backend accepts connections but never answers', backend.queueRises],
      },
      predicts: ['backend.agents.upgrades', 'backend.health.good'],
      remedy: (view) =>
        remedy(
          'install a backend build that runs its accept loop, then restart it',
          on(view, 'be', backendCommand(view, 'restart'), `ss -ltn | grep :${port(view)}`),
        ),
      help: `The socket is bound and listening, so connects succeed; no accept loop runs, so every connection waits in the kernel's queue (Recv-Q climbs by one a dial).
"Not listening" would be wrong, and so would be "open, hence fine".
Distinguished from a stopped process (BE-03) and a blocked event loop (BE-04) by the API port, which answers; from a firewall that drops (NET-07) by the queue, which is not empty.`,
    },
    'BE-03': {
      name: 'process suspended',
      title: 'the backend process is suspended',
      necessary: [parts.processIn(parts.backendPart, 'T', 'is stopped (state T)')],
      signature: [backend.directFails],
      supports: [backendRuns, backend.apiSilent],
      forbids: [backend.directUpgrades],
      lookalikes: {
        'BE-04': parts.processIn(parts.backendPart, 'T', 'is in state T, not running'),
        'BE-02': parts.processIn(parts.backendPart, 'T', 'is in state T, not sleeping'),
      },
      predicts: ['backend.api.answers', 'backend.agents.upgrades', 'backend.agents.listens'],
      remedy: (view) =>
        remedy(
          'resume the process, or restart it',
          on(view, 'be', `systemctl kill --signal=CONT ${backendUnit(view)}`),
        ),
      help: `The process was stopped (SIGSTOP). systemd still says "active"; the kernel says state T, and connections pile up on both ports.`,
    },
    'BE-04': {
      about: 'backend',
      name: 'event loop blocked',
      title: "the backend's event loop is blocked",
      necessary: [
        backendRuns,
        backend.apiSilent,
        backend.agentsListens,
        backend.directFails,
        parts.processIn(parts.backendPart, 'RSDt', 'is not stopped'),
      ],
      signature: [parts.processIn(parts.backendPart, 'R', 'is on the processor (state R)')],
      lookalikes: {
        'BE-03': parts.processIn(parts.backendPart, 'RSDt', 'is not in state T'),
        'BE-02': backend.apiSilent,
      },
      predicts: ['backend.api.answers', 'backend.agents.upgrades'],
      remedy: (view) =>
        remedy(
          'look at the busy thread first, then restart',
          on(view, 'be', 'top -H -b -n1 | head -20', backendCommand(view, 'restart')),
        ),
      help: `Both ports accept in the kernel and neither answers, while the process uses a whole core: one long computation or a deadlock in the event loop.`,
    },
    'BE-05': {
      name: 'backend stopped',
      title: (view) => {
        const word = downWord(view, parts.backendPart);
        return {
          stopped: 'the backend is stopped',
          'not enabled': 'the backend is stopped, and its unit is not enabled',
          masked: 'the backend is stopped, and its unit is masked',
          'not installed': `the backend is not installed on ${parts.hostOf(view, 'be')}: no unit ${backendUnit(view)}`,
        }[word];
      },
      necessary: [stopped],
      signature: [anyOf('no process serves its ports', backend.agentsNotListening, backend.onlySystemdListens)],
      // Started it would not get its port; the fix of BE-07 starts it, too.
      forbids: [backend.directUpgrades, backend.portsForeign],
      lookalikes: { 'BE-06': stopped, 'BE-01': stopped },
      predicts: ['backend.process.running', 'backend.api.answers', 'backend.agents.listens', 'backend.agents.upgrades'],
      remedy: (view) => {
        const word = downWord(view, parts.backendPart);
        if (word === 'not installed') return remedy('install it', deployAgain(view, 'be'));
        const fix = { stopped: 'start it', 'not enabled': 'enable and start it', masked: 'unmask and start it' }[word];
        return remedy(fix, bringBack(view, parts.backendPart, backendCommand(view, 'start')));
      },
      help: `The unit is inactive with result success: it was stopped, or it was never started since boot; it may be disabled, masked or gone altogether. Sockets that systemd holds for it may still be open; they prove nothing about the service.
Distinguished from a crash (BE-06) by the result.`,
    },
    'BE-06': {
      name: 'backend crash loop over its configuration',
      title: 'the backend exits at every start because of its configuration',
      necessary: [parts.crashing(parts.backendPart), configComplaint],
      forbids: [addressInUse, noSpaceLine, parts.unitIs(parts.backendPart, 'cannot run its program', neverRan)],
      lookalikes: {
        'BE-05': parts.crashing(parts.backendPart),
        'BE-07': not('its log does not mention a port in use', addressInUse),
      },
      followsFrom: ['BE-15', 'BE-17'],
      predicts: ['backend.process.running', 'backend.api.answers', 'backend.agents.listens', 'backend.agents.upgrades'],
      remedy: (view) =>
        remedy(
          'correct the line that the error names, then start it',
          on(view, 'be', `journalctl -u ${backendUnit(view)} -n 20`, backendCommand(view, 'restart')),
        ),
      help: `The process starts, refuses its configuration and ends; systemd starts it again. The last line before the exit names the file, the line and the key. "Unit down" and "flapping" are only symptoms.`,
    },
    'BE-07': {
      name: 'port taken by another program',
      title: (view) => {
        const row = backend.foreignHolder(view);
        return `another program holds port ${row?.port ?? port(view)}${row ? `: ${backend.holderText(row)}` : ''}`;
      },
      necessary: [
        anyOf((view) => backend.portsForeign.claim(view), backend.portsForeign, addressInUse),
        not('the backend itself is not up', backendRuns),
        anyOf('what answers there is not a backend', backend.directFails, addressInUse, identity.answersAsStranger),
      ],
      signature: [backend.portsForeign],
      forbids: [identity.servedByHand],
      lookalikes: { 'BE-06': anyOf('the port is taken', addressInUse, backend.portsForeign) },
      predicts: [
        'backend.process.running',
        'backend.api.answers',
        'backend.agents.upgrades',
        'backend.agents.listens',
        'agents.hello.answered',
      ],
      remedy: (view) =>
        remedy(
          'stop the program that holds the port, then start the backend',
          on(view, 'be', ...stopStranger(view), backendCommand(view, 'start')),
        ),
      help: `The backend cannot bind its port because something else has it; it keeps ending with EADDRINUSE. A port that is open says nothing about who opened it, nor does an answer: a stranger can upgrade connections and send a CHALLENGE too. What counts is the process that the kernel shows.`,
    },
    'BE-10': {
      name: 'backend on another port',
      title: (view) => `the backend listens on another port than ${port(view)}`,
      necessary: [backendRuns, backend.agentsNotListening, otherPort],
      signature: [
        sign('the kernel shows that other port', (view) => {
          const configured = view.value('agent.config', 'be', 'backend')?.agentsPort;
          return judge(view, ['tcp.listeners', backend.backendSeat(view)], (rows) =>
            rows.some((row) => row.port === configured || backend.otherBackendPorts(view).ports.includes(row.port)),
          );
        }),
      ],
      lookalikes: { 'BE-01': otherPort },
      predicts: ['backend.agents.listens', 'backend.agents.upgrades'],
      remedy: (view) =>
        remedy(
          `set agents.port = ${port(view)} in the backend's configuration, as nginx and the inventory expect`,
          on(view, 'be', backendCommand(view, 'restart')),
        ),
      help: `The backend works, only not where nginx and the deployment expect it. The contract is the inventory's port; the backend's own configuration differs from it. Pointing nginx at the odd port would hide the difference.`,
    },
  },
);
