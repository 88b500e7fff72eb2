// The backend's error catalogue, and the one table from code to HTTP status.
import { defineErrors } from '../runtime/index.ts';

/** Rows of the backend. */
export const backendErrors = defineErrors({
  VW_BACKEND_UNAUTHENTICATED: {
    message: 'no valid token: {problem}',
    hint: 'send `Authorization: Bearer <token>`; make one with `sudo viworks backend token create --role operator --name NAME` on the backend host',
    retry: 'never',
  },
  VW_BACKEND_FORBIDDEN: {
    message: 'the token {name} has the role {role}; this needs {needed}',
    hint: 'use a token with the role {needed}: `sudo viworks backend token create --role {needed} --name NAME` on the backend host makes one',
    retry: 'never',
  },
  VW_BACKEND_NOT_FOUND: {
    message: 'there is no {what} {id}',
    hint: 'check the id; list what there is with `viworks {list}`',
    retry: 'never',
  },
  VW_BACKEND_NO_ROUTE: {
    message: 'there is nothing at {method} {path}',
    hint: 'GET /api/v1/openapi.json lists every path',
    retry: 'never',
  },
  VW_BACKEND_UNKNOWN_GATEWAY: {
    message: 'no gateway {gateway} is enrolled',
    hint: 'list the gateways with `viworks gateways`; enrol one with `viworks enroll`',
    retry: 'never',
  },
  VW_BACKEND_UNKNOWN_VERB: {
    message: 'the verb {verb} is not offered by {gateway}',
    hint: 'see what it offers with `viworks gateways {gateway}`',
    retry: 'never',
  },
  VW_BACKEND_INVALID: {
    message: 'the request is not valid: {problems}',
    hint: 'compare it with GET /api/v1/openapi.json',
    retry: 'never',
  },
  VW_BACKEND_TOO_LARGE: {
    message: 'the request is larger than {limitBytes} bytes',
    hint: 'send less at once; stdin of a command may be 1 MiB',
    retry: 'never',
  },
  VW_BACKEND_TOO_MANY_REQUESTS: {
    message: 'too many requests from this address',
    hint: 'wait for the time named in Retry-After',
    retry: 'later',
  },
  VW_BACKEND_IDEMPOTENCY_CONFLICT: {
    message: 'the Idempotency-Key {key} was used before with another body',
    hint: 'use a new key for a new command; the first one is {commandId}',
    retry: 'never',
  },
  VW_BACKEND_DRAINING: {
    message: 'the backend is going down and takes nothing new',
    hint: 'try again in some seconds',
    retry: 'later',
  },
  VW_BACKEND_STORAGE_UNAVAILABLE: {
    message: 'the store cannot be written: {reason}',
    hint: 'look at the free space and the owner of the state directory: df -h {directory}; ls -la {directory}',
    retry: 'later',
  },
  VW_BACKEND_STORE_OPEN: {
    message: 'cannot open the store in {directory}: {reason}',
    hint: 'only root and the backend’s own user may open it (sudo …), and the directory must exist: ls -lad {directory}',
    retry: 'never',
  },
  VW_BACKEND_STORE_FULL: {
    message: 'no room is left for the store in {directory}',
    hint: 'free some space; the service manager then starts it again: df -h {directory}; du -xsh {directory}/../*',
    retry: 'later',
  },
  VW_BACKEND_STORE_NEWER: {
    message: 'the store has schema {found}, this build knows up to {known}',
    hint: 'run the newer build of viworks again, or restore the store that belongs to this one',
    retry: 'never',
  },
  VW_BACKEND_BIND: {
    message: 'cannot listen on {address} port {port} for {what}: {reason}',
    hint: 'see who holds it: ss -ltnp sport = :{port}',
    retry: 'later',
  },
  VW_BACKEND_TLS_FILES: {
    message: 'cannot use the TLS certificate {file}: {reason}',
    hint: 'check both files: openssl x509 -in {file} -noout -subject -enddate',
    retry: 'never',
    exitCode: 64,
  },
  VW_BACKEND_SELF_CHECK: {
    message: 'the WebSocket server on {address} does not answer: {reason}',
    hint: 'look at the log before this line; probe it with `viworks doctor`',
    retry: 'later',
  },
  VW_BACKEND_ENROLMENT_REFUSED: {
    message: 'the enrolment token is not valid: {problem}',
    hint: 'make a new one: `sudo viworks backend enrolment-token create --gateway ID` on the backend host',
    retry: 'never',
  },
  VW_BACKEND_NAME_TAKEN: {
    message: 'there is a token with the name {name} already',
    hint: 'choose another name, or revoke the first one',
    retry: 'never',
  },
});

/** HTTP status by code; 500 for every other. */
const STATUS: Readonly<Record<string, number>> = {
  VW_BACKEND_UNAUTHENTICATED: 401,
  VW_BACKEND_FORBIDDEN: 403,
  VW_BACKEND_NOT_FOUND: 404,
  VW_BACKEND_NO_ROUTE: 404,
  VW_BACKEND_UNKNOWN_GATEWAY: 404,
  VW_BACKEND_UNKNOWN_VERB: 409,
  VW_BACKEND_INVALID: 400,
  VW_BACKEND_TOO_LARGE: 413,
  VW_BACKEND_TOO_MANY_REQUESTS: 429,
  VW_BACKEND_IDEMPOTENCY_CONFLICT: 409,
  VW_BACKEND_NAME_TAKEN: 409,
  VW_BACKEND_ENROLMENT_REFUSED: 403,
  VW_BACKEND_DRAINING: 503,
  VW_BACKEND_STORAGE_UNAVAILABLE: 503,
};

/** The HTTP status of a failure. */
export function statusOf(code: string): number {
  return STATUS[code] ?? 500;
}
