// Every size and interval of the wire, each with its reason. Sizes in bytes, times in milliseconds.

/** Largest frame either side accepts once a session is open: a 64 KiB output chunk, or a run frame with its stdin in base64. */
export const MAX_FRAME_BYTES = 2 * 1024 * 1024;

/** Largest frame before HELLO was accepted: a stranger may not make the backend hold more. HELLO with every task a gateway may hold fits. */
export const MAX_HANDSHAKE_FRAME_BYTES = 512 * 1024;

/** Tasks that a gateway may hold unsettled, about 220 bytes each in HELLO; more are refused as `storage_unavailable`. */
export const MAX_HELD_TASKS = 2_000;

/** Largest payload of one output frame (the size Nomad settled on). */
export const MAX_OUTPUT_BYTES = 64 * 1024;

/** What a task may have on its standard input, complete at the start: 1 MiB, so that its base64 fits in one frame. */
export const MAX_STDIN_BYTES = 1024 * 1024;

/** CHALLENGE, HELLO and WELCOME together must be done in this time, or the link is closed. */
export const HANDSHAKE_MS = 5_000;

/** How often each side pings; nginx's read timeout must be at least three times this. */
export const HEARTBEAT_MS = 10_000;

/** A pong is due this long after the ping; two misses close the link. Any frame received counts as life. */
export const PONG_DUE_MS = 5_000;

/** Output that may be under way and not yet durably acknowledged, per task. Measured: as fast as without a limit. */
export const TASK_CREDIT_BYTES = 1024 * 1024;

/** An ack is due after this many bytes … */
export const ACK_EVERY_BYTES = 128 * 1024;

/** … or after this long, whichever is first. */
export const ACK_EVERY_MS = 100;

/** Nothing more is put into a socket while it holds this much: control frames must not wait behind output. */
export const SOCKET_HIGH_WATER_BYTES = 256 * 1024;

/** First delay of the reconnect back-off; doubles, full jitter. */
export const RECONNECT_BASE_MS = 500;

/** Largest delay of the reconnect back-off. */
export const RECONNECT_CAP_MS = 60_000;

/** A session must have lasted this long before the back-off starts anew, so that flapping does not reset it. */
export const STABLE_AFTER_MS = 30_000;

/** How long a gateway waits after a close code that says "not before something changed". */
export const TERMINAL_RETRY_MS = 600_000;

/** How long a gateway may be gone before its running tasks are shown as `unknown` (never as failed). */
export const LOST_AFTER_MS = 60_000;

/** From the polite signal to the forced end of a task's whole tree, when the command does not say otherwise. */
export const DEFAULT_GRACE_MS = 10_000;

/** How long a command waits for an offline gateway when it does not say otherwise. */
export const DEFAULT_TTL_MS = 60_000;

/** Longest timeout or ttl that a command may ask for: 30 days. */
export const MAX_DURATION_MS = 30 * 24 * 3_600_000;
