// The lab's door: what suites and the command line use. Two real hosts, faults that are confirmed before they count, and an end.

import { rm } from 'node:fs/promises';
import { breakLab, mendLab, settle, wellAgain } from './breaks/break.ts';
import { findBreak } from './breaks/index.ts';
import { setUpDockerSystem } from './docker-system.ts';
import { inHost, leaderOf } from './host.ts';
import { bringDown, bringUp, readState, reboot, reset, rootOf, writeState } from './lab.ts';
import { filesOf, type HostName, layoutOf } from './layout.ts';
import { installOldSystem, type OldSystemParts } from './old-system.ts';
import { attempt, type ShellResult } from './shell.ts';
import { createWorkbench, type Workbench } from './workbench.ts';

export { breaks } from './breaks/index.ts';
export type { HostName } from './layout.ts';
export { labObstacle } from './machine.ts';

export interface OpenLabOptions {
  readonly name: string;
  readonly docker?: boolean;
  readonly say?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface Lab {
  readonly dir: string;
  readonly inventoryPath: string;
  /** The same hosts, seen by the ordinary user `op`. */
  readonly unprivilegedInventoryPath: string;
  readonly docker: boolean;
  readonly hosts: Readonly<Record<HostName, string>>;
  /** Runs a command over ssh, as an operator would. */
  ssh(host: HostName, command: string, user?: string): Promise<ShellResult>;
  sshArguments(host: HostName, user?: string): readonly string[];
  /** Runs a script on the host past its sshd; leaves no trace of a login. */
  run(host: HostName, script: string, input?: string): Promise<ShellResult>;
  /**
   * Injects faults, one after the other; comes back with what an independent witness saw of each, or throws when it saw nothing.
   * A fault is in when the parts are past the age at which they would be excused; a trap is in at once.
   */
  break(...ids: readonly string[]): Promise<readonly string[]>;
  /** Takes back the named fault, or all of them in reverse; answers with what it mended. */
  mend(id?: string): Promise<readonly string[]>;
  /** Waits until an upgrade gives 101 and the gateway is connected; gives up silently after 45 s. */
  untilWell(): Promise<void>;
  /** Installs a working system of the old kind by hand, with a certificate of the inventory's own authority. */
  installOld(): Promise<void>;
  reset(host: HostName): Promise<void>;
  reboot(host: HostName): Promise<void>;
  /** Ends the lab and forgets its keys and its authority. */
  close(): Promise<void>;
}

/** Opens a lab: brings it up, or takes the one of this name that is up already. */
export async function openLab(options: OpenLabOptions): Promise<Lab> {
  const layout = layoutOf(options.name);
  const files = filesOf(layout);
  const say = options.say ?? (() => undefined);
  const { signal } = options;

  const run = async (host: HostName, script: string, input?: string): Promise<ShellResult> => {
    const leader = await leaderOf(layout, host);
    if (!leader) throw new Error(`${host} is off`);
    return inHost(leader, script, { signal, ...(input === undefined ? {} : { input }) });
  };
  const oldSystem = (bench: Workbench): OldSystemParts => ({
    bench: bench.for('system'),
    dir: layout.dir,
    rootOf: (host) => rootOf(layout, host),
    say,
  });
  const state = await bringUp(layout, {
    docker: options.docker ?? false,
    say,
    signal,
    furnish: async (fresh) => {
      if (fresh.docker)
        await setUpDockerSystem(layout, oldSystem(createWorkbench({ layout, state: fresh, run })), signal);
    },
  });
  const workbench = createWorkbench({ layout, state, run });
  const sshArguments = (host: HostName, user = 'root'): readonly string[] => [
    ...['-i', files.identity, '-F', 'none'],
    ...[
      'IdentitiesOnly=yes',
      'StrictHostKeyChecking=yes',
      `UserKnownHostsFile=${files.knownHosts}`,
      'ConnectTimeout=5',
    ].flatMap((option) => ['-o', option]),
    `${user}@${state.slice.hosts[host]}`,
  ];
  const broken = async () => (await readState(layout))?.broken ?? [];
  const note = (ids: readonly string[]) => writeState(layout, { ...state, broken: ids });

  return {
    dir: layout.dir,
    inventoryPath: files.inventory,
    unprivilegedInventoryPath: files.unprivilegedInventory,
    docker: state.docker,
    hosts: state.slice.hosts,
    ssh: (host, command, user) =>
      attempt(['ssh', '-o', 'BatchMode=yes', ...sshArguments(host, user), command], { signal }),
    sshArguments,
    run,
    async break(...ids) {
      const seen: string[] = [];
      for (const fault of ids.map(findBreak)) {
        const before = await broken();
        if (before.includes(fault.id)) throw new Error(`${fault.id} is in already`);
        if ((fault.form === 'docker') !== state.docker) {
          throw new Error(`${fault.id} belongs to the ${fault.form} form of the lab`);
        }
        await note([...before, fault.id]);
        try {
          seen.push(await breakLab(fault, workbench));
        } catch (error) {
          await note(before);
          throw error;
        }
      }
      if (!ids.every((id) => findBreak(id).id.startsWith('TRAP-'))) await settle(workbench);
      return seen;
    },
    async mend(id) {
      const ids = id === undefined ? [...(await broken())].reverse() : [id];
      for (const one of ids) {
        await mendLab(findBreak(one), workbench);
        await note((await broken()).filter((other) => other !== one));
      }
      // A gateway that was refused for a while comes back after its back-off: mended is what works again.
      if (ids.length > 0 && (await broken()).length === 0) await wellAgain(workbench);
      return ids;
    },
    untilWell: () => wellAgain(workbench),
    installOld: () => installOldSystem(oldSystem(workbench)),
    reset: (host) => reset(layout, host, { docker: state.docker, say, signal }),
    reboot: (host) => reboot(layout, host, signal),
    async close() {
      await bringDown(layout);
      await rm(layout.dir, { recursive: true, force: true });
    },
  };
}
