// nginx without nginx: parses its configuration with every include, follows one request through it, and judges the route. Pure.
export { derivedProbe, deriveRoutes } from './derive.ts';
