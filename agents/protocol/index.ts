// The wire between gateways and the backend, and the shapes of the HTTP API. Pure: no node:, no clock, no I/O.
export {
  type DecodeFailure,
  decodeFrame,
  decodeOutput,
  encodeFrame,
  encodeOutput,
  OUTPUT_HEADER_BYTES,
  type OutputChunk,
  writeOutputHeader,
} from './codec.ts';
export {
  FRAME_TYPES,
  FROM_BACKEND,
  FROM_GATEWAY,
  type Frame,
  type FrameOf,
  type FrameType,
  frame,
} from './envelope.ts';
export { CLOSE, type CloseName, closeByCode } from './errors.ts';
export { createEventParser, readEventStream, type ServerEvent } from './event-stream.ts';
export * as http from './http.ts';
export * as limits from './limits.ts';
export type { StreamName } from './parts.ts';
export { helloPayload } from './session.ts';
export type { Sample } from './telemetry.ts';
export { BUILT_IN_VERBS, type BuiltInVerb, schemaHash } from './verbs.ts';
export { AGENT_PATH, OLDEST_ACCEPTED_VERSION, PROTOCOL_VERSION, SUBPROTOCOL } from './version.ts';
export type { TaskResult } from './work.ts';
