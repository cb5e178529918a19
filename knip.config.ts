import type { KnipConfig } from "knip";

const tests = ["src/**/*.{test,suite}.ts"];

export default {
  ignoreExportsUsedInFile: true,
  // Debian's; infra/bootstrap/packages.mjs installs them.
  ignoreBinaries: ["apt-get", "dpkg", "dpkg-query", "ip", "mount", "ss", "umount", "unshare"],
  workspaces: {
    ".": {
      entry: [
        "infra/bootstrap/{main.mjs,command.ts}",
        "infra/nats-identity.ts",
        "scripts/*.ts",
        "test/**/*.{test,bench}.ts",
      ],
      project: ["infra/**/*.{ts,mjs}", "scripts/**/*.ts", "test/**/*.ts"],
    },
    "apps/*": { entry: ["src/main.ts", ...tests], project: ["src/**/*.ts"] },
    "apps/control-plane": {
      entry: ["src/main.ts", "src/api/router.ts", ...tests],
      project: ["src/**/*.ts"],
    },
    // What scripts of users import.
    "packages/client": {
      entry: ["src/client.ts", "src/context.ts", ...tests],
      project: ["src/**/*.ts"],
    },
    "packages/*": { entry: tests, project: ["src/**/*.ts"] },
  },
} satisfies KnipConfig;
