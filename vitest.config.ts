import { defineConfig } from "vitest/config";

/** A test's suffix says what it needs: nothing, Postgres, nats-server, or Linux as root with conmon and runc. */
const needs = ["pg", "nats", "linux"];
const roots = ["apps/*/src", "packages/*/src", "infra", "test"];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: roots.map((root) => `${root}/**/*.test.ts`),
          exclude: [
            ...needs.map((need) => `**/*.${need}.test.ts`),
            "test/**",
            "**/node_modules/**",
          ],
        },
      },
      ...needs.map((need) => ({
        test: {
          name: need,
          include: ["apps/*/src", "packages/*/src", "infra"].map(
            (root) => `${root}/**/*.${need}.test.ts`,
          ),
          testTimeout: 30_000,
          hookTimeout: 60_000,
          fileParallelism: need !== "linux",
        },
      })),
      {
        test: {
          name: "e2e",
          include: ["test/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
