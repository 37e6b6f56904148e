import { defineConfig } from 'vitest/config';

/** Tests read the packages' sources (export condition `skiff-source`), so they need no build. */
const source = {
  resolve: { conditions: ['skiff-source', 'module', 'node', 'development|production'] },
  ssr: { resolve: { conditions: ['skiff-source', 'module', 'node', 'development|production'] } },
};

/** What is awaited may come late on a busy machine; where it comes, the bound costs nothing. */
const patience = { expect: { poll: { timeout: 20_000 } } };

export default defineConfig({
  test: {
    reporters: process.env['CI'] ? ['default'] : ['default'],
    projects: [
      {
        ...source,
        test: {
          ...patience,
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts'],
          globalSetup: ['test/support/temporary-folder.ts'],
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        ...source,
        test: {
          ...patience,
          name: 'integration',
          include: ['packages/*/test/**/*.test.ts', 'test/model/**/*.test.ts'],
          globalSetup: ['test/support/temporary-folder.ts'],
          testTimeout: 120_000,
          hookTimeout: 240_000,
          // Each file has servers, ports and network namespaces of its own, and waits a good part of its time.
          maxWorkers: 2,
        },
      },
      {
        ...source,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/temporary-folder.ts', 'test/e2e/support/shared-cluster.ts'],
          setupFiles: ['test/e2e/support/on-failure.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        ...source,
        test: {
          name: 'hosts',
          include: ['test/lab/**/*.test.ts', 'test/hosts/**/*.test.ts'],
          testTimeout: 400_000,
          hookTimeout: 400_000,
          // Stories wait a good part of their time (for leases to run out, say), and each has hosts of its own.
          maxWorkers: 2,
        },
      },
    ],
  },
});
