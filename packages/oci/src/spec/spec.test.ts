import { containerSpecSchema } from "@podfleet/model/container/spec";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import { hasCode } from "@podfleet/model/errors";
import { containerIdSchema } from "@podfleet/model/ids";
import { parseImageConfig } from "@podfleet/model/image-config";
import { describe, expect, test } from "vitest";

import type { HostLimits } from "./host-limits.ts";
import { type RuntimeSpec, serializeRuntimeSpec } from "./runtime-spec.ts";
import { buildRuntimeSpec, containerCommand, type RuntimeSpecInput } from "./spec.ts";

const id = containerIdSchema.parse("0123456789abcdef".repeat(4));

const image = parseImageConfig(
  JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: {
      Entrypoint: ["/entry"],
      Cmd: ["serve"],
      Env: ["PATH=/app/bin:/bin", "MODE=image", "EMPTY="],
      WorkingDir: "/app",
    },
    rootfs: { diff_ids: [] },
  }),
);

const sandbox: HostLimits = {
  architecture: "x64",
  cgroupMode: "hybrid",
  capabilities: ["CHOWN", "DAC_OVERRIDE", "KILL", "NET_ADMIN", "SETUID", "SYS_CHROOT"],
  hardLimits: { nofile: 20_000 },
  limitsSwap: true,
};
const server: HostLimits = {
  architecture: "arm64",
  cgroupMode: "v2",
  capabilities: ["CHOWN", "KILL", "SYS_ADMIN", "SYS_RESOURCE"],
  hardLimits: {},
  limitsSwap: false,
};

function build(spec: Partial<ContainerSpecInput>, more: Partial<RuntimeSpecInput> = {}) {
  return buildRuntimeSpec({
    id,
    spec: containerSpecSchema.parse({ image: "app", ...spec }),
    image,
    rootfs: "/data/containers/c1/rootfs",
    user: { uid: 0, gid: 0, additionalGids: [], home: "/root" },
    host: sandbox,
    cgroup: `/podfleet/host-1/${id}`,
    etcFiles: {
      hosts: "/run/bundle/hosts",
      hostname: "/run/bundle/hostname",
      resolvConf: "/run/bundle/resolv.conf",
    },
    seccompTarget: { architecture: "x64", compatible: false },
    devices: [],
    ...more,
  });
}

describe("whole specs", () => {
  const everything: Partial<ContainerSpecInput> = {
    command: ["run", "--fast"],
    entrypoint: [],
    env: { MODE: "spec", EXTRA: "a=b" },
    workdir: "/work",
    tty: true,
    annotations: { "org.example.team": "core" },
    hostname: "db-1",
    resources: { cpus: 1.5, memoryBytes: 64 * 1024 * 1024, pidsLimit: 100, cpuShares: 512 },
    rlimits: [
      { type: "nofile", soft: 1024, hard: -1 },
      { type: "core", soft: -1, hard: -1 },
    ],
    mounts: [
      { type: "tmpfs", destination: "/data/cache", sizeBytes: 1_048_576, mode: "0700" },
      { type: "bind", source: "/srv/data", destination: "/data", propagation: "rslave" },
      { type: "bind", source: "/srv/hosts", destination: "/etc/hosts", readOnly: true },
    ],
    capabilitiesAdd: ["NET_ADMIN"],
    capabilitiesDrop: ["CHOWN"],
    noNewPrivileges: false,
    readOnlyRoot: true,
    shmSizeBytes: 1_048_576,
  };
  const app = { uid: 1000, gid: 1000, additionalGids: [50], home: "/home/app" };
  const device = { path: "/dev/fuse", type: "c", major: 10, minor: 229 } as const;

  test.each<[string, RuntimeSpec]>([
    ["default", build({})],
    ["everything", build(everything, { user: app })],
    [
      "privileged-v2",
      build(
        { privileged: true, networkMode: "host" },
        { host: server, devices: [{ ...device, fileMode: 0o666, uid: 0, gid: 0 }] },
      ),
    ],
  ])("%s", async (name, spec) => {
    // The profile has tests of its own.
    const { seccomp, ...linux } = spec.linux;
    const shown = { ...spec, linux: { ...linux, seccomp: seccomp?.architectures } };
    const json = JSON.stringify(
      shown,
      (_key, value: unknown) => (typeof value === "bigint" ? `${value}` : value),
      2,
    );
    await expect(`${json}\n`).toMatchFileSnapshot(`golden/spec-${name}.golden`);
  });
});

describe("command", () => {
  test.each<[string, Partial<ContainerSpecInput>, string[]]>([
    ["the image's", {}, ["/entry", "serve"]],
    ["a command replaces the image's", { command: ["x", "y"] }, ["/entry", "x", "y"]],
    ["an entrypoint drops the image's command", { entrypoint: ["/other"] }, ["/other"]],
    ["an empty entrypoint clears", { entrypoint: [], command: ["x"] }, ["x"]],
    ["both", { entrypoint: ["/other"], command: ["x"] }, ["/other", "x"]],
  ])("%s", (_name, spec, args) => {
    const full = containerSpecSchema.parse({ image: "app", ...spec });
    expect(containerCommand(full, image)).toEqual(args);
  });

  test("an init is the host's, and the container's command is its argument", () => {
    const { process, mounts } = build({ init: true }, { init: "/usr/bin/catatonit" });
    expect(process.args).toEqual(["/run/podfleet-init", "--", "/entry", "serve"]);
    expect(mounts).toContainEqual(
      expect.objectContaining({
        destination: "/run/podfleet-init",
        source: "/usr/bin/catatonit",
      }),
    );
  });

  test("none at all is refused", () => {
    expect(() => build({ entrypoint: [] })).toThrow(
      'Cannot run image "app": neither the spec nor the image names a command',
    );
  });
});

describe("limits", () => {
  test.each([
    [2, { quota: 200_000, period: 100_000 }],
    [0.25, { quota: 25_000, period: 100_000 }],
    [0.001, { quota: 1_000, period: 1_000_000 }],
  ])("%d CPUs", (cpus, cpu) => {
    expect(build({ resources: { cpus } }).linux.resources.cpu).toEqual(cpu);
  });

  test("an rlimit never exceeds what the agent has, and unlimited is 2^64 - 1 in JSON", () => {
    const rlimits = [
      { type: "nofile", soft: 100_000, hard: -1 },
      { type: "core", soft: 0, hard: -1 },
    ] as const;
    const spec = build({ rlimits: [...rlimits] });
    expect(spec.process.rlimits[0]).toEqual({
      type: "RLIMIT_NOFILE",
      soft: 20_000n,
      hard: 20_000n,
    });
    expect(serializeRuntimeSpec(spec)).toContain(
      '{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}',
    );
  });
});

describe("capabilities", () => {
  const bounding = (spec: Partial<ContainerSpecInput>): readonly string[] =>
    build(spec).process.capabilities.bounding;

  test("drop all, add one", () => {
    expect(bounding({ capabilitiesDrop: ["ALL"], capabilitiesAdd: ["KILL"] })).toEqual([
      "CAP_KILL",
    ]);
  });

  test("add all, drop one", () => {
    expect(bounding({ capabilitiesAdd: ["ALL"], capabilitiesDrop: ["KILL"] })).toEqual(
      ["CHOWN", "DAC_OVERRIDE", "NET_ADMIN", "SETUID", "SYS_CHROOT"].map((name) => `CAP_${name}`),
    );
  });

  test("one that the agent lacks is refused by name", () => {
    const attempt = (): unknown => build({ capabilitiesAdd: ["SYS_ADMIN"] });
    expect(attempt).toThrow('Cannot add capability "SYS_ADMIN"');
    expect(attempt).toThrow(expect.toSatisfy((error) => hasCode(error, "UNSUPPORTED")));
  });
});
