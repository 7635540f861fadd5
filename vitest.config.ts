import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "scripts/**/*.test.ts"],
          setupFiles: ["test/support/fast-check.ts"],
          testTimeout: 20_000,
          // Files share their modules: a third of the time went into loading them anew for each file.
          pool: "threads",
          isolate: false,
        },
      },
      {
        test: {
          name: "golden",
          include: ["test/golden/**/*.test.ts", "test/corpus/**/*.test.ts"],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "fuzz",
          include: ["test/fuzz/**/*.test.ts"],
          testTimeout: 1_800_000,
          execArgv: ["--expose-gc"],
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
