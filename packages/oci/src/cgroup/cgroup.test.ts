import { expect, test } from "vitest";

import { cgroupDirectories, parseCgroupMounts } from "./cgroup.ts";

const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:3 - cgroup cgroup rw,cpu,cpuacct
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
`;

test("mounts of both versions are found", () => {
  expect(parseCgroupMounts(hybrid)).toEqual([
    {
      version: 1,
      hierarchy: { directory: "/sys/fs/cgroup/cpu,cpuacct", controllers: ["cpu", "cpuacct"] },
    },
    {
      version: 1,
      hierarchy: { directory: "/sys/fs/cgroup/systemd", controllers: ["name=systemd"] },
    },
    { version: 2, hierarchy: { directory: "/sys/fs/cgroup/unified", controllers: [] } },
  ]);
});

test("a cgroup has a directory in each hierarchy", () => {
  const unified = { directory: "/cg/unified", controllers: [] };
  const legacy = [{ directory: "/cg/cpu", controllers: ["cpu"] }];
  expect(cgroupDirectories({ mode: "hybrid", legacy, unified }, "/podfleet/h1")).toEqual([
    "/cg/cpu/podfleet/h1",
    "/cg/unified/podfleet/h1",
  ]);
});
