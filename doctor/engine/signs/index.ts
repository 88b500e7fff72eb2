// The engine's stock of signs: sentences about an installation that both checks and causes are built from.
export * as backend from './backend.ts';
export * as gateway from './gateway.ts';
export * as logs from './logs.ts';
export * as nginx from './nginx.ts';
export * as parts from './parts.ts';
