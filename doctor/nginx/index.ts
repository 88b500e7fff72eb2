// nginx without nginx: parses its configuration with every include, follows one request through it, and judges the route. Pure.
export { derivedProbe, deriveRoutes, filesOf } from './derive.ts';
export { changesOf, type FileEdit, unifiedDiff } from './diff.ts';
export { proposeEdit } from './fix.ts';
