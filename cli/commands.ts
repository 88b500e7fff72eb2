// Every command: what help and completions say without loading it, and how to load it. The only list of them.
import type { CommandSpec } from '../agents/runtime/index.ts';

/** A row of the table. `load` brings in the command's room, and nothing does before it is chosen. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Heading under which the overview lists it. */
  readonly group: 'Everyday' | 'When it breaks' | 'Rolling out' | 'Programs' | 'This tool';
  load(): Promise<CommandSpec>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'run',
    summary: 'run a command on a gateway; its output comes back live, its exit code becomes ours',
    group: 'Everyday',
    load: async () => (await import('./run/command.ts')).runCommand,
  },
  {
    name: 'gateways',
    summary: 'list the gateways, or show one of them',
    group: 'Everyday',
    load: async () => (await import('./gateways/command.ts')).gatewaysCommand,
  },
  {
    name: 'tasks',
    summary: 'list, show, follow and cancel tasks',
    group: 'Everyday',
    load: async () => (await import('./tasks/command.ts')).tasksCommand,
  },
  {
    name: 'up',
    summary: 'the whole system on this machine, without root',
    group: 'Everyday',
    load: async () => (await import('../deploy/local/command.ts')).upCommand,
  },
  {
    name: 'doctor',
    summary: 'find the root cause, with the evidence and the fix',
    group: 'When it breaks',
    load: async () => (await import('../doctor/command.ts')).doctorCommand,
  },
  {
    name: 'deploy',
    summary: 'plan, apply, roll back, show or remove an installation',
    group: 'Rolling out',
    load: async () => (await import('../deploy/command.ts')).deployCommand,
  },
  {
    name: 'enroll',
    summary: 'make this host a gateway of a backend, with a one-time token',
    group: 'Rolling out',
    load: async () => (await import('../agents/gateway/enroll-command.ts')).enrollCommand,
  },
  {
    name: 'backend',
    summary: 'the backend agent: HTTP API, gateways’ WebSocket, storage',
    group: 'Programs',
    load: async () => (await import('../agents/backend/command.ts')).backendCommand,
  },
  {
    name: 'gateway',
    summary: 'the gateway agent of this host',
    group: 'Programs',
    load: async () => (await import('../agents/gateway/command.ts')).gatewayCommand,
  },
  {
    name: 'launcher',
    summary: 'starts the gateway’s tasks, outside of its sandbox',
    group: 'Programs',
    load: async () => (await import('../agents/gateway/launcher-command.ts')).launcherCommand,
  },
  {
    name: 'config',
    summary: 'check configuration files and explain every key',
    group: 'This tool',
    load: async () => (await import('./config/command.ts')).configCommand,
  },
  {
    name: 'completions',
    summary: 'print the completion script of a shell',
    group: 'This tool',
    load: async () => (await import('./completions/command.ts')).completionsCommand,
  },
];
