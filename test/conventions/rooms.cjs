// The table of rooms: what each may import of the repository, which packages it may name, whether it may touch node:,
// and whether it is entered through a door. `files` are single files of other rooms that it may import as well.

const lazyCommands = [
  'agents/backend/command.ts',
  'agents/gateway/command.ts',
  'agents/gateway/launcher-command.ts',
  'agents/gateway/enroll-command.ts',
  'doctor/command.ts',
  'deploy/command.ts',
  'deploy/local/command.ts',
];
const lazyConfigs = [
  'agents/backend/config.ts',
  'agents/gateway/config.ts',
  'agents/gateway/launcher-config.ts',
  'deploy/inventory/index.ts',
];

// What our agents say, by code: pure data, which the doctor reads their logs by (decision 0013).
const messages = [
  'agents/backend/messages.ts',
  'agents/gateway/messages.ts',
  'agents/gateway/launcher/messages.ts',
  'agents/runtime/messages.ts',
];

const room = (name, row) => ({ room: name, rooms: [], packages: [], node: false, door: false, files: [], ...row });
const agentRooms = ['agents/protocol', 'agents/runtime'];

module.exports = [
  room('agents/protocol', { packages: ['zod'], door: true }),
  room('agents/runtime', { packages: ['zod', 'smol-toml', 'toml-eslint-parser', 'pino'], node: true, door: true }),
  room('agents/backend', {
    rooms: agentRooms,
    packages: [
      'zod',
      'fastify',
      '@fastify/swagger',
      '@fastify/rate-limit',
      '@fastify/helmet',
      'fastify-type-provider-zod',
      'ws',
      '@types/ws',
      'prom-client',
    ],
    node: true,
  }),
  room('agents/gateway', { rooms: agentRooms, packages: ['zod', 'ws', '@types/ws', 'execa'], node: true }),
  room('doctor/engine/vocabulary', { door: true }),
  room('doctor/engine/signs', { rooms: ['doctor/engine/vocabulary'], door: true }),
  room('doctor/engine/machinery', { rooms: ['doctor/engine/vocabulary', 'doctor/engine/signs'], door: true }),
  room('doctor/engine', {
    rooms: ['doctor/engine/vocabulary', 'doctor/engine/signs', 'doctor/engine/machinery'],
    door: true,
  }),
  room('doctor/checks', { rooms: ['doctor/engine'] }),
  room('doctor/causes', { rooms: ['doctor/engine'], files: messages }),
  room('doctor/nginx', { rooms: ['doctor/engine'] }),
  room('doctor/output', { rooms: ['doctor/engine'] }),
  room('doctor/ui', {
    rooms: ['doctor/engine', 'doctor/output', 'agents/runtime'],
    packages: ['ink', 'react', '@types/react'],
  }),
  room('doctor/probes', { rooms: ['doctor/engine', 'doctor/nginx', 'deploy/remote', ...agentRooms], node: true }),
  room('doctor/run/collecting', {
    rooms: ['doctor/engine', 'doctor/probes', 'doctor/nginx', 'deploy/remote', 'agents/runtime'],
    node: true,
    door: true,
    files: ['doctor/fixes.ts', 'doctor/unit-fixes.ts'],
  }),
  room('doctor/run/command', {
    rooms: [
      'doctor/engine',
      'doctor/probes',
      'doctor/output',
      'doctor/run/collecting',
      'deploy/inventory',
      'deploy/remote',
      'agents/runtime',
    ],
    node: true,
    door: true,
    files: ['doctor/errors.ts', 'doctor/fixes.ts', 'doctor/judge.ts', 'doctor/unit-fixes.ts'],
  }),
  room('doctor', {
    rooms: [
      'doctor/engine',
      'doctor/checks',
      'doctor/causes',
      'doctor/nginx',
      'doctor/output',
      'doctor/ui',
      'doctor/run/collecting',
      'doctor/run/command',
      'deploy/remote',
      'agents/runtime',
    ],
    node: true,
  }),
  room('deploy/inventory', { rooms: ['agents/runtime'], packages: ['zod'], node: true, door: true }),
  room('deploy/remote', {
    rooms: ['agents/runtime'],
    packages: ['node-ssh', 'ssh2', '@types/ssh2', 'execa'],
    node: true,
    door: true,
  }),
  room('deploy/plan', { rooms: ['deploy/inventory', 'agents/runtime'] }),
  room('deploy/ca', { rooms: ['agents/runtime'], packages: ['@peculiar/x509', 'reflect-metadata'], node: true }),
  room('deploy', {
    rooms: ['deploy/inventory', 'deploy/remote', 'deploy/plan', 'deploy/ca', ...agentRooms],
    packages: ['zod', 'execa', 'esbuild'],
    node: true,
  }),
  room('cli', {
    rooms: agentRooms,
    packages: ['commander', '@bomb.sh/tab', 'zod', 'esbuild'],
    node: true,
    files: [...lazyCommands, ...lazyConfigs],
  }),
];
