import { defineConfig } from "vitest/config";

/** A test's suffix says what it needs: nothing, Postgres, nats-server, or Linux as root with conmon and runc. */
const needs = ["pg", "nats", "linux"];
const sources = ["apps/*/src", "packages/*/src", "infra"];
const setupFiles = ["packages/testkit/src/fast-check-seed.ts"];
const suffixes = needs.map((need) => `**/*.${need}.test.ts`);

/** Groups run one after the other, so that tests with time limits have the machine to themselves. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [...sources, "test/tidy"].map((root) => `${root}/**/*.test.ts`),
          exclude: [...suffixes, "**/node_modules/**"],
          setupFiles,
          sequence: { groupOrder: 0 },
        },
      },
      ...needs.map((need, index) => ({
        test: {
          name: need,
          setupFiles,
          sequence: { groupOrder: 1 + index },
          include: sources.map((root) => `${root}/**/*.${need}.test.ts`),
          testTimeout: 30_000,
          hookTimeout: 60_000,
          fileParallelism: need !== "linux",
        },
      })),
      {
        test: {
          name: "e2e",
          setupFiles,
          sequence: { groupOrder: 1 + needs.length },
          include: ["test/**/*.test.ts"],
          exclude: ["test/tidy/**", "**/node_modules/**"],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
