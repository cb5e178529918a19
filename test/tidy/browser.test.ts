import { join } from "node:path";

import { build } from "esbuild";
import { expect, test } from "vitest";

import { root } from "./repository.ts";

test("the client imports nothing that browsers do not have", { timeout: 30_000 }, async () => {
  const bundled = await build({
    entryPoints: [join(root, "packages/client/src/client.ts")],
    ...{ bundle: true, platform: "browser", format: "esm" },
    ...{ write: false, logLevel: "silent" },
  });
  expect(bundled.outputFiles).toHaveLength(1);
});
