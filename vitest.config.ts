import { defineConfig } from "vitest/config";

/** A test's suffix says what it needs: nothing, Postgres, nats-server, or Linux as root with conmon and runc. */
const needs = ["pg", "nats", "linux"];
const sources = ["apps/*/src", "packages/*/src", "infra"];
const setupFiles = ["packages/testkit/src/fast-check-seed.ts"];
const suffixes = needs.map((need) => `**/*.${need}.test.ts`);

/**
 * Tests that need something of the machine mostly wait for it, so more files than it has processors run side by side. Each has servers,
 * roots, cgroups and networks of its own.
 */
const needing = { setupFiles, maxWorkers: 3, sequence: { groupOrder: 1 }, hookTimeout: 180_000 };

/** Time limits end what hangs, on a machine that does much else too; they measure nothing. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          setupFiles,
          // vitest's own choice on two processors is one.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
          include: [...sources, "test/tidy"].map((root) => `${root}/**/*.test.ts`),
          exclude: [...suffixes, "**/node_modules/**"],
          testTimeout: 30_000,
        },
      },
      ...needs.map((need) => ({
        test: {
          ...needing,
          name: need,
          include: sources.map((root) => `${root}/**/*.${need}.test.ts`),
          testTimeout: 60_000,
        },
      })),
      {
        test: {
          ...needing,
          name: "e2e",
          include: ["test/**/*.test.ts"],
          exclude: ["test/tidy/**", "**/node_modules/**"],
          testTimeout: 120_000,
        },
      },
    ],
  },
});
