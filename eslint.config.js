// What needs types or counts: promises, signals, bans with their replacement, file length. Format and syntax rules are biome's.
import tseslint from 'typescript-eslint';
import { messageRule } from './test/conventions/message-rule.js';
import { signalRule } from './test/conventions/signal-rule.js';

const banned = {
  'no-restricted-globals': [
    'error',
    { name: 'setTimeout', message: 'use Clock.after or Clock.sleep' },
    { name: 'setInterval', message: 'use Clock.after in a loop' },
    { name: 'performance', message: 'use Clock.monotonicMs' },
    { name: 'console', message: 'use the Logger, or the Terminal that the command was given' },
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: 'use Clock.now' },
    { object: 'process', property: 'env', message: 'take env from the Invocation' },
    { object: 'process', property: 'exit', message: 'return an exit code' },
    { object: 'process', property: 'stdout', message: 'use the Terminal that the command was given' },
    { object: 'process', property: 'stderr', message: 'use the Terminal that the command was given' },
  ],
};

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.lab*/**', '**/*.js', '**/*.cjs'] },
  {
    files: ['**/*.ts', '**/*.tsx'],
    plugins: {
      '@typescript-eslint': tseslint.plugin,
      viworks: { rules: { 'takes-signal': signalRule, 'no-branch-on-words': messageRule } },
    },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true, allowThrowingAny: true }],
      // The name `z` brings every language's messages along: 430 kB more in each agent.
      'no-restricted-syntax': [
        'error',
        {
          selector: "ImportDeclaration[source.value='zod'] > ImportSpecifier",
          message: "write: import * as z from 'zod'",
        },
      ],
      'max-lines': ['error', { max: 400 }],
      'max-params': ['error', { max: 3 }],
    },
  },
  {
    files: ['{agents,doctor,deploy,cli}/**/*.ts', '{agents,doctor,deploy,cli}/**/*.tsx'],
    ignores: [
      '**/*.test.ts',
      '**/*.test.tsx',
      'agents/runtime/clock.ts',
      'cli/{main,build,missing-packages,terminal,signals,dispatch}.ts',
      'deploy/host/main.ts',
    ],
    rules: banned,
  },
  {
    files: ['{agents,doctor,deploy,cli}/**/*.ts', '{agents,doctor,deploy,cli}/**/*.tsx'],
    ignores: [
      '**/*.test.ts',
      '**/*.test.tsx',
      // What others say in words only.
      'agents/gateway/link/dial.ts', // ws: its errors have no codes
      'agents/runtime/toml-words.ts', // smol-toml: likewise
      'cli/parse.ts', // commander: what is wrong with an option stands in its sentence alone
      'deploy/apply/host-link.ts', // sudo, and the system's word for a full disk
      'deploy/host/validate.ts', // nginx -t
      'deploy/remote/login.ts', // sshd: the text of its disconnect
      'deploy/remote/openssh.ts', // ssh: why a jump was not made
      'doctor/causes/own-words.ts', // SQLite's verdict on a file
      'doctor/engine/signs/foreign-words.ts', // agents that are not ours, and older releases
      'doctor/probes/agent-config.ts', // JSON.parse
      'doctor/probes/http.ts', // Node: an orderly end has the code of a reset
      'doctor/probes/link.ts', // sshd: what connect(2) and the name service said there
      'doctor/run/collecting/network.ts', // the same
    ],
    rules: { 'viworks/no-branch-on-words': 'error' },
  },
  {
    files: ['agents/{backend,gateway}/**/*.ts', 'deploy/{apply,remote}/**/*.ts', 'doctor/probes/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: { 'viworks/takes-signal': 'error' },
  },
  {
    files: ['test/**', 'bench/**', 'docs/**', '**/*.test.ts', '**/*.test.tsx'],
    rules: { '@typescript-eslint/only-throw-error': 'off', 'max-params': 'off' },
  },
);
