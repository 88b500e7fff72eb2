// Who may import whom, from one table of rooms. The same table draws the picture in ARCHITECTURE.md.
const rooms = require('./test/conventions/rooms.cjs');

const quote = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const inRoom = (room) => `^${quote(room)}/`;
const tests = '\\.test\\.tsx?$';

/** Everything in the repository that a room may reach: itself, and the rooms its row names. */
const rules = rooms.flatMap((row) => {
  const nested = rooms.filter((other) => other.room !== row.room && other.room.startsWith(`${row.room}/`));
  const from = { path: inRoom(row.room), pathNot: [tests, ...nested.map((other) => inRoom(other.room))] };
  const may = [row.room, ...row.rooms].map(inRoom).concat(row.files.map((file) => `^${quote(file)}$`));
  const list = [
    {
      name: `${row.room}: rooms`,
      comment: `${row.room} may import ${row.rooms.join(', ') || 'nothing'} of the repository`,
      severity: 'error',
      from,
      to: { path: '^(agents|doctor|deploy|cli|bench|docs|test|templates)/', pathNot: may },
    },
    {
      name: `${row.room}: packages`,
      comment: `${row.room} may name ${row.packages.join(', ') || 'no package'}`,
      severity: 'error',
      from,
      to: {
        dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'],
        pathNot: row.packages
          .map((name) => `node_modules/${name}${name.startsWith('@types') ? '' : '/'}`)
          .concat(row.packages.length === 0 ? ['^$'] : []),
      },
    },
  ];
  if (!row.node) {
    list.push({
      name: `${row.room}: pure`,
      comment: `${row.room} is pure: nothing of node:`,
      severity: 'error',
      from,
      to: { dependencyTypes: ['core'] },
    });
  }
  if (row.door) {
    list.push({
      name: `${row.room}: door`,
      comment: `${row.room} is entered through its index.ts only`,
      severity: 'error',
      from: { pathNot: [inRoom(row.room), tests, '^test/', '^bench/', '^docs/'] },
      to: { path: inRoom(row.room), pathNot: `^${quote(row.room)}/(index|messages)\\.ts$` },
    });
  }
  return list;
});

module.exports = {
  forbidden: [
    ...rules,
    {
      name: 'messages are data',
      comment: 'what our agents say by code is read by the pure rooms of the doctor too: it may bring nothing along',
      severity: 'error',
      from: { path: '^agents/.*/messages\\.ts$' },
      to: { path: '.' },
    },
    { name: 'no cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'nothing imports tests',
      severity: 'error',
      from: { path: '^(agents|doctor|deploy|cli)/', pathNot: tests },
      to: { path: '^test/|\\.test\\.tsx?$' },
    },
    {
      name: 'the gateway stays small',
      comment: 'importing ink costs 520 ms and 50 MB: a gateway on a small host must never be able to load it',
      severity: 'error',
      from: { path: '^agents/gateway/command\\.ts$' },
      to: { reachable: true, path: 'node_modules/(ink|react|fastify|node-ssh|ssh2|pg|kysely)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|node_modules/\\.cache)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'] },
    reporterOptions: { mermaid: { minify: false } },
  },
};
