// launcher.toml as one schema. Pure.
import * as z from 'zod';
import type { ConfigSpec } from '../runtime/index.ts';

const path = (description: string): z.ZodString =>
  z.string().startsWith('/', 'must be an absolute path').meta({ description });
const user = (description: string): z.ZodDefault<z.ZodString> =>
  z
    .string()
    .regex(/^([a-z_][a-z0-9_.-]*\$?)?$/i, 'must be the name of a user')
    .default('')
    .meta({ description });

/** Every key of launcher.toml. */
export const launcherConfig = z.strictObject({
  socket: path('unix socket that the agent asks on'),
  tasks_dir: path('spool of the tasks; the same as in gateway.toml'),
  agent_user: user('user that may ask for tasks, besides root and the launcher’s own'),
  task_user: user('user that tasks run as; empty: the launcher’s own'),
});

/** A validated launcher.toml. */
export type LauncherConfig = z.output<typeof launcherConfig>;

/** launcher.toml for `viworks config`. */
export const launcherConfigSpec: ConfigSpec<typeof launcherConfig> = {
  name: 'launcher',
  summary: 'starts the gateway’s tasks, outside of its sandbox',
  schema: launcherConfig,
  envPrefix: 'VIWORKS_LAUNCHER',
};
