import { expect, test } from "vitest";

import { findOwnCgroup } from "./cgroup-moves.ts";

const memory = { directory: "/cg/memory", controllers: ["memory"] };
const cpu = { directory: "/cg/cpu,cpuacct", controllers: ["cpu", "cpuacct"] };
const unified = { directory: "/cg/unified", controllers: [] };

const text = `9:name=systemd:/a
4:memory:/limited
3:cpu,cpuacct:/shared:twice
0::/agents/h1
`;

test.each([
  { mode: "hybrid", legacy: [memory], unified, path: "/cg/unified/agents/h1/cgroup.procs" },
  { mode: "v2", legacy: [], unified, path: "/cg/unified/agents/h1/cgroup.procs" },
  { mode: "v1", legacy: [memory], unified: undefined, path: "/cg/memory/limited/cgroup.procs" },
  {
    mode: "v1",
    legacy: [cpu],
    unified: undefined,
    path: "/cg/cpu,cpuacct/shared:twice/cgroup.procs",
  },
] as const)("on a $mode host the agent is found at $path", ({ path, ...cgroups }) => {
  expect(findOwnCgroup(cgroups, text)).toBe(path);
});

test("a cgroup that is not listed is not found", () => {
  const pids = { directory: "/cg/pids", controllers: ["pids"] };
  expect(findOwnCgroup({ mode: "v1", legacy: [pids], unified: undefined }, text)).toBeUndefined();
});
