import { expect, test } from "vitest";

import { healthOf, hostConfigOf, mountOf } from "./inspect-fields.ts";
import { containerSpecSchema } from "./spec.ts";

test("HostConfig has Docker's units and names", () => {
  const spec = containerSpecSchema.parse({
    image: "busybox",
    resources: { cpus: 1.5, memoryBytes: 67_108_864 },
    restartPolicy: { name: "on-failure", retriesMax: 3 },
    capabilitiesAdd: ["NET_ADMIN"],
    seccomp: "unconfined",
    rlimits: [{ type: "nofile", soft: 1024, hard: 2048 }],
  });
  expect(hostConfigOf(spec)).toMatchObject({
    NanoCpus: 1_500_000_000,
    Memory: 67_108_864,
    PidsLimit: 0,
    RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 },
    CapAdd: ["CAP_NET_ADMIN"],
    SecurityOpt: expect.arrayContaining(["seccomp=unconfined"]),
    Ulimits: [{ Name: "nofile", Soft: 1024, Hard: 2048 }],
  });
});

test("a healthcheck without an exit code has the caller's value for it", () => {
  const times = { startedAt: "2026-11-23T12:00:00Z", finishedAt: "2026-11-23T12:00:01Z" };
  const healthLog = { failingStreak: 1, results: [{ ...times, output: "timed out" }] };
  const health = healthOf({ health: "starting", healthLog }, -1);
  expect(health).toMatchObject({ Status: "starting", FailingStreak: 1, Log: [{ ExitCode: -1 }] });
});

test("a tmpfs has the caller's value for its source and no propagation", () => {
  const { mounts } = containerSpecSchema.parse({
    image: "busybox",
    mounts: [{ type: "tmpfs", destination: "/tmp", readOnly: true }],
  });
  expect(mounts.map((mount) => mountOf(mount, "tmpfs"))).toEqual([
    { Type: "tmpfs", Source: "tmpfs", Destination: "/tmp", RW: false, Propagation: "" },
  ]);
});
