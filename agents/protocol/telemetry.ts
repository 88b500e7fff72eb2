// Samples of the host and of the gateway agent. Fractions are 0–1, sizes bytes.
import * as z from 'zod';

/** One sample. */
export const sample = z.object({
  /** Milliseconds since the epoch on the gateway's clock. */
  at: z.int(),
  cpu: z.number().min(0),
  load1: z.number().min(0),
  memoryUsed: z.number().min(0).max(1),
  diskUsed: z.number().min(0).max(1),
  uptimeSeconds: z.int().min(0),
  runningTasks: z.int().min(0),
  spoolBytes: z.int().min(0),
  agentRssBytes: z.int().min(0),
});
export type Sample = z.infer<typeof sample>;

/** Gateway → backend. */
export const telemetry = z.object({ type: z.literal('telemetry.samples'), samples: z.array(sample).max(100) });
