// How the suites run: unit tests beside their files, e2e suites one file at a time (they share two cores and the lab).
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{agents,cli,deploy,doctor,docs,bench}/**/*.test.{ts,tsx}',
            'test/{conventions,contracts,support}/**/*.test.ts',
          ],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
