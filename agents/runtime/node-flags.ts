// How Node is to run our agents.

/**
 * Options of `node` for the backend and the gateway, wherever they are started.
 *
 * A small young generation: with V8's default of 16 MiB a half space, 4,000 short tasks through one session leave the backend at
 * 230 MB and the gateway at 150 MB of resident memory, with 2 MiB at 130 and 95 MB; tasks a second and megabytes a second rise
 * by a tenth to a third, since the young objects then stay in the processor's cache. Measured side by side on two cores.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=2'];
