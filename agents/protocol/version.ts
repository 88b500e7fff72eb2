// Which wire version this build speaks. One integer; every step gets a dated line; golden frames of each are kept.

/**
 * 1 (2026-11-20): challenge, hello, welcome, probe, ping both ways, run, accepted, started, output as binary frames,
 *   ack with credit, exit, settled, refused, cancel, telemetry, goaway.
 */
export const PROTOCOL_VERSION = 1;

/** The oldest version that this build still accepts from a peer. */
export const OLDEST_ACCEPTED_VERSION = 1;

/** What is asked for and answered in Sec-WebSocket-Protocol (RFC 6455 §1.9); anything else is refused before the upgrade. */
export const SUBPROTOCOL = 'viworks.agent.v1';

/** The path of the WebSocket server for gateways. */
export const AGENT_PATH = '/ws/agent';
