// The life of `viworks up`: claim, start in order, look, show one command, wait, end in reverse order.
import { cp, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { BUILD, errnoOf, type Invocation, NODE_FLAGS, type Secret } from '../../agents/runtime/index.ts';
import { issueServerCertificate } from '../ca/authority.ts';
import { loadTemplates } from '../release/templates.ts';
import { ensureEnrolment, ensureToken } from './access.ts';
import { type Child, type Children, createChildren } from './children.ts';
import { checkPorts, claim, unusable } from './claim.ts';
import { type ConfigOptions, writeBackendConfig, writeGatewayConfigs } from './configs.ts';
import { findNginx, type Nginx, prepareNginx } from './front.ts';
import { ask, askWithToken, type LocalBackend, waitUntil } from './loopback.ts';
import { type Places, placesOf } from './places.ts';
import { createScreen, type Screen, seconds } from './screen.ts';
import { showCommand, showPath } from './show.ts';
import { askTasksToEnd, endTasks } from './tasks.ts';

const READY_SECONDS = 30;
/** What says something about the state directory and nothing about us. */
const PLACE_TROUBLE: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'EIO']);

/** Everything that the steps share. */
interface Local {
  readonly invocation: Invocation;
  readonly places: Places;
  readonly screen: Screen;
  readonly children: Children;
  /** Command line that runs this very program. */
  readonly program: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly config: ConfigOptions;
  readonly nginx: Nginx | undefined;
}

/** Runs the local system until the signal; gives the exit code. */
export async function runUp(invocation: Invocation): Promise<number> {
  const { clock, options, signal, env } = invocation;
  const places = placesOf(options, env);
  const screen = createScreen(invocation.terminal.stdout);
  if (env.VIWORKS_UP_HEADED !== '1') screen.header();
  const { owner, leftovers } = await claim(places, clock);
  if (leftovers.length > 0) screen.line('leftovers', `ended what a killed run left behind: ${leftovers.join(', ')}`);
  await checkPorts(places);
  const childEnv = cleanEnvironment(env);
  const children = createChildren({ logs: places.logs, ledger: places.ledger, owner, env: childEnv, clock });
  // The second Ctrl-C does not wait, but it does not leave anything behind either.
  const leave = (): void => {
    askTasksToEnd(places.tasks, 0);
    children.killAll();
  };
  const told = (): void => screen.line('stopping', 'tasks first, then every part (Ctrl-C again: at once)');
  signal.addEventListener('abort', told, { once: true });
  invocation.leaving?.addEventListener('abort', leave, { once: true });
  try {
    const nginx = options.nginx === false ? undefined : await findNginx(env.PATH, signal);
    const local: Local = {
      invocation,
      places,
      screen,
      children,
      program: await keepProgram(places),
      env: childEnv,
      config: {
        templates: await loadTemplates(signal),
        releaseId: `up-${BUILD.revision}`,
        ownFront: nginx === undefined,
      },
      nginx,
    };
    return await serve(local);
  } catch (error) {
    if (signal.aborted) return 0;
    throw PLACE_TROUBLE.has(errnoOf(error) ?? '') ? unusable(places, error) : error;
  } finally {
    await stop(children, { places, screen, clock });
  }
}

async function serve(local: Local): Promise<number> {
  const { invocation, screen, places } = local;
  const { signal } = invocation;
  const trust = await prepareTls(local);
  const backend = await startBackend(local);
  const { token, current } = await ensureToken(places, {
    ...local,
    signal,
    backend: apiOf(backend, places),
    operator: invocation.env,
    trust,
    now: invocation.clock.now(),
  });
  const front = await startFront(local, { backend, trust });
  const agents = await startGateway(local, { backend, token });
  const parts = [backend, ...front, ...agents];
  const anyEnd = Promise.race(parts.map((part) => part.unexpectedEnd));
  const shown = { ...local, signal, anyEnd };
  const verdict = await showPath(shown);
  await showCommand(shown);
  if (invocation.options.once === true) return verdict;
  const self = invocation.env.VIWORKS_UP_HEADED === '1' ? './viworks' : 'viworks';
  screen.plain(`
Running. Try, in another terminal:
  ${self} run ${places.gatewayId} -- bash -c 'for i in 1 2 3; do date; sleep 1; done'
  ${self} doctor --local${current ? '' : `\n(your current context is another one: add --context ${places.gatewayId}, or set VIWORKS_CONTEXT)`}
Ctrl-C stops everything and removes nothing but processes; state is in ${places.home}.`);
  await Promise.race([new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true })), anyEnd]);
  return 0;
}

async function prepareTls({ invocation, places }: Local): Promise<string> {
  const { clock, signal } = invocation;
  const names = ['localhost', '127.0.0.1'];
  const issued = await issueServerCertificate({ caDir: places.ca, project: 'viworks up', names, clock, signal });
  await writeFile(places.certificate, `${issued.certificatePem}\n${issued.trustPem}`, { mode: 0o600 });
  await writeFile(places.key, issued.keyPem, { mode: 0o600 });
  await writeFile(places.trust, issued.trustPem, { mode: 0o600 });
  return issued.trustPem;
}

async function startBackend(local: Local): Promise<Child> {
  const { places, screen, children, invocation } = local;
  const { signal, clock } = invocation;
  await writeBackendConfig(places, local.config);
  const child = await children.start('backend', [...local.program, 'backend', '--config', places.configs.backend]);
  const { api, agents } = places.ports;
  const look = async (): Promise<true | string> =>
    healthy(await ask({ url: `http://127.0.0.1:${api}/health`, signal }));
  const ms = await waitUntil({ child, clock, signal, seconds: READY_SECONDS, look });
  screen.line('backend', `http://127.0.0.1:${api}  ws 127.0.0.1:${agents}`, `ready in ${seconds(ms)}`);
  return child;
}

async function startFront(local: Local, given: { backend: Child; trust: string }): Promise<Child[]> {
  const { nginx, places, screen, children, invocation } = local;
  const { signal, clock } = invocation;
  // What lies there is what runs: the doctor reads it.
  if (!nginx) await rm(places.nginx, { recursive: true, force: true });
  const started = nginx ? [await children.start('nginx', await prepareNginx(nginx, places, local.config))] : [];
  const url = `https://localhost:${places.ports.tls}`;
  const look = async (): Promise<true | string> =>
    healthy(await ask({ url: `${url}/health`, ca: given.trust, signal }));
  const ms = await waitUntil({ child: started[0] ?? given.backend, clock, signal, seconds: READY_SECONDS, look });
  if (nginx) screen.line('nginx', `${url} (private nginx ${nginx.version})`, `ready in ${seconds(ms)}`);
  else screen.line('tls', `${url} (the backend’s own front; no nginx here)`, `ready in ${seconds(ms)}`);
  return started;
}

function apiOf(backend: Child, places: Places): LocalBackend {
  return { pid: backend.entry.pid, apiPort: places.ports.api };
}

async function startGateway(local: Local, given: { backend: Child; token: Secret }): Promise<Child[]> {
  const { places, screen, children, invocation, program } = local;
  const { signal, clock } = invocation;
  const backend = apiOf(given.backend, places);
  const enrolmentTokenFile = await ensureEnrolment(places, given.token, { program, env: local.env, signal, backend });
  await writeGatewayConfigs(places, { ...local.config, enrolmentTokenFile });
  const launcher = await children.start('launcher', [...program, 'launcher', '--config', places.configs.launcher]);
  const gateway = await children.start('gateway', [...program, 'gateway', '--config', places.configs.gateway]);
  const path = `/api/v1/gateways/${places.gatewayId}`;
  let verbs = 0;
  const look = async (): Promise<true | string> => {
    const { body } = await askWithToken(backend, path, given.token);
    const { state, verbs: offered } = body as { state?: string; verbs?: readonly unknown[] };
    verbs = offered?.length ?? 0;
    return state === 'connected' ? true : `the registry says ${state ?? 'nothing of it'}`;
  };
  const race = { ...gateway, unexpectedEnd: Promise.race([gateway.unexpectedEnd, launcher.unexpectedEnd]) };
  const ms = await waitUntil({ child: race, clock, signal, seconds: READY_SECONDS, look });
  if (enrolmentTokenFile !== undefined) await rm(enrolmentTokenFile, { force: true });
  screen.line('gateway', `${places.gatewayId}  ${verbs} verbs`, `connected in ${seconds(ms)}`);
  return [launcher, gateway];
}

async function stop(
  children: Children,
  around: Pick<Local, 'places' | 'screen'> & Pick<Invocation, 'clock'>,
): Promise<void> {
  const { places, screen, clock } = around;
  const began = clock.monotonicMs();
  // While the agents still run, so that the ends of the tasks are recorded as what they are.
  const tasks = await endTasks(places.tasks, clock);
  const forced = await children.endAll();
  await rm(places.ledger, { force: true });
  const ended = tasks > 0 ? `, ${tasks} running task${tasks === 1 ? '' : 's'} ended` : '';
  const force = forced.length > 0 ? `; force was needed for ${forced.join(', ')}` : '';
  screen.line('stopped', `everything, in order${ended}${force}`, seconds(clock.monotonicMs() - began));
}

function healthy(answer: { status: number; body: unknown }): true | string {
  const { status } = (answer.body ?? {}) as { status?: string };
  return answer.status === 200 && status === 'healthy'
    ? true
    : `its health says ${answer.status} ${status ?? ''}`.trim();
}

// A running system is not changed under its feet: a build made meanwhile replaces dist/, and the chunks that a process has
// not loaded yet with it.
async function keepProgram(places: Places): Promise<string[]> {
  const entry = process.argv[1] ?? '';
  if (basename(entry) !== 'main.js') return [process.execPath, ...NODE_FLAGS, entry];
  await rm(places.program, { recursive: true, force: true });
  await cp(dirname(entry), places.program, { recursive: true });
  return [process.execPath, ...NODE_FLAGS, join(places.program, 'main.js')];
}

// Only what programs need to find their way; nothing of ours, so that no variable overrides the files written here.
function cleanEnvironment(env: Invocation['env']): Record<string, string> {
  const kept = [
    'PATH',
    'HOME',
    'USER',
    'LOGNAME',
    'LANG',
    'LC_ALL',
    'TZ',
    'TMPDIR',
    'XDG_RUNTIME_DIR',
    'XDG_CACHE_HOME',
  ];
  return Object.fromEntries(kept.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name] as string]])));
}
