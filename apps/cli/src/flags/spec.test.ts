import { containerSpecSchema } from "@podfleet/model/container/spec";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import { expect, test } from "vitest";

import { Command } from "../command.ts";
import { addContainerFlags } from "./container-flags.ts";
import type { ContainerFlags } from "./container-flags.ts";
import { specFromFlags } from "./spec.ts";

const environment = { HOME: "/home/ann", LC_ALL: "C", LC_TIME: "de", EMPTY: "" };

/** The spec of a whole command line, as `run` reads it. */
function specOf(...argv: string[]): ContainerSpecInput {
  const command = addContainerFlags(new Command("run"))
    .helpOption("--help")
    .argument("<image>")
    .argument("[command...]")
    .passThroughOptions()
    .exitOverride();
  command.parse(argv, { from: "user" });
  const [image = "", ...words] = command.args;
  const flags = command.opts<ContainerFlags>();
  return specFromFlags({ image, command: words, flags, fileEnv: [], fileLabels: [], environment });
}

test("an image alone asks for nothing that the spec's defaults do not say", () => {
  const spec = containerSpecSchema.parse(specOf("busybox"));
  expect(spec).toEqual(containerSpecSchema.parse({ image: "busybox" }));
});

test("the command keeps its own flags", () => {
  const spec = specOf("-t", "busybox", "ls", "-t", "--rm=true", "--", "-e", "A=1");
  expect(spec.command).toEqual(["ls", "-t", "--rm=true", "--", "-e", "A=1"]);
  expect(spec).toMatchObject({ tty: true, autoRemove: false, env: {} });
});

const rows: readonly [flags: string, spec: Partial<ContainerSpecInput>][] = [
  ["--name web", { name: "web" }],
  ["-e A=1 -e A=2 --env=B=x=y -e C=", { env: { A: "2", B: "x=y", C: "" } }],
  ["-e HOME -e EMPTY -e NOWHERE", { env: { HOME: "/home/ann", EMPTY: "" } }],
  ["-e LC_*", { env: { LC_ALL: "C", LC_TIME: "de" } }],
  ["-u 1000:staff -w /srv", { user: "1000:staff", workdir: "/srv" }],
  ["-it", { stdin: true, tty: true }],
  ["-i=false --tty=true --rm=false", { stdin: false, tty: true, autoRemove: false }],
  ["--rm", { autoRemove: true }],
  ["-l tier=web -l empty -l a=b=c", { labels: { tier: "web", empty: "", a: "b=c" } }],
  ["--annotation run.oci=1", { annotations: { "run.oci": "1" } }],
  ["-h box", { hostname: "box" }],
  ["--cpus 1.5 -m 64m", { resources: { cpus: 1.5, memoryBytes: 67_108_864 } }],
  ["--memory 0 --cpus 0 --pids-limit -1", { resources: {} }],
  ["--pids-limit 50 --cpu-shares 512", { resources: { pidsLimit: 50, cpuShares: 512 } }],
  [
    "--ulimit nofile=1024:2048 --ulimit RLIMIT_CORE=-1",
    {
      rlimits: [
        { type: "nofile", soft: 1024, hard: 2048 },
        { type: "core", soft: -1, hard: -1 },
      ],
    },
  ],
  ["--restart on-failure:3", { restartPolicy: { name: "on-failure", retriesMax: 3 } }],
  ["--restart unless-stopped", { restartPolicy: { name: "unless-stopped" } }],
  ["--rm --restart no", { restartPolicy: { name: "no" }, autoRemove: true }],
  ["--stop-signal SIGQUIT --stop-timeout 0", { stopSignal: "SIGQUIT", stopTimeoutSeconds: 0 }],
  [
    "--cap-add NET_ADMIN,sys_time --cap-drop CAP_CHOWN",
    { capabilitiesAdd: ["NET_ADMIN", "sys_time"], capabilitiesDrop: ["CAP_CHOWN"] },
  ],
  ["--init", { init: true }],
  ["--privileged --read-only", { privileged: true, readOnlyRoot: true }],
  ["--security-opt seccomp=unconfined", { seccomp: "unconfined" }],
  ["--security-opt no-new-privileges:false", { noNewPrivileges: false }],
  ["--entrypoint /bin/sh", { entrypoint: ["/bin/sh"] }],
  ['--entrypoint ["sh","-c"]', { entrypoint: ["sh", "-c"] }],
  ["--entrypoint=", { entrypoint: [] }],
  ["--group-add staff --group-add 20", { groups: ["staff", "20"] }],
  ["--network host --shm-size 1g", { networkMode: "host", shmSizeBytes: 1_073_741_824 }],
  [
    "--health-cmd true --health-interval 1m30s --health-retries 5",
    {
      healthcheck: { command: ["/bin/sh", "-c", "true"], intervalMs: 90_000, retries: 5 },
    },
  ],
  [
    '--health-cmd ["true"] --health-timeout 500ms --health-start-period 0 --health-on-failure kill',
    {
      healthcheck: { command: ["true"], timeoutMs: 500, startPeriodMs: 0, onFailure: "kill" },
    },
  ],
  [
    "--host host-2 --strategy binpack --constraint host.labels.disk==ssd",
    {
      placement: {
        host: "host-2",
        strategy: "binpack",
        constraints: ["host.labels.disk==ssd"],
      },
    },
  ],
  ["-v /srv:/data", { mounts: [{ type: "bind", source: "/srv", destination: "/data" }] }],
  [
    "--tmpfs /run:rw,noexec,size=64k,mode=700",
    {
      mounts: [
        {
          type: "tmpfs",
          destination: "/run",
          readOnly: false,
          sizeBytes: 65_536,
          mode: "700",
        },
      ],
    },
  ],
];

test.each(rows)("%s", (flags, expected) => {
  const spec = specOf(...flags.split(" "), "busybox");
  expect(spec).toMatchObject(expected);
  expect(containerSpecSchema.safeParse(spec).error).toBeUndefined();
});

/** Flags, and the part of the error after the flag and the value. */
const refused: readonly [flags: string, flag: string, value: string, allowed: string][] = [
  ["--name a/b", "--name", "a/b", "must match"],
  ["-e =x", "--env", "=x", "KEY=VALUE"],
  ["-l =x", "--label", "=x", "KEY=VALUE"],
  ["-w srv", "--workdir", "srv", "must be an absolute path"],
  ["-u a:b:c", "--user", "a:b:c", 'must be "user" or "user:group"'],
  ["-h -", "--hostname", "-", "must be a host name"],
  ["--cpus many", "--cpus", "many", "decimal number of CPUs"],
  ["--cpus 9000", "--cpus", "9000", "must be at most 8192"],
  ["-m 12x", "--memory", "12x", "b, k, m or g"],
  ["-m 1m", "--memory", "1m", "must be at least 6291456 (6 MiB)"],
  ["--pids-limit two", "--pids-limit", "two", "whole number"],
  ["--cpu-shares 1", "--cpu-shares", "1", "must be at least 2"],
  ["--ulimit files=1", "--ulimit", "files=1", "nofile"],
  ["--ulimit nofile=3:2", "--ulimit", "nofile=3:2", "above the hard limit"],
  ["--restart on-failure:-1", "--restart", "on-failure:-1", "on-failure:RETRIES"],
  ["--restart on-failure:0", "--restart", "on-failure:0", "must be at least 1"],
  ["--restart sometimes", "--restart", "sometimes", "unless-stopped"],
  ["--rm --restart always", "--restart", "always", "cannot be combined with --rm"],
  ["--stop-signal NOPE", "--stop-signal", "NOPE", "unknown signal"],
  ["--stop-timeout -1", "--stop-timeout", "-1", "0 or more"],
  ["--cap-add FLY", "--cap-add", "FLY", "unknown capability"],
  ["--security-opt label=disable", "--security-opt", "label=disable", "seccomp=unconfined"],
  ["--network bridge", "--network", "bridge", '"none", "host"'],
  ["--shm-size 1k", "--shm-size", "1k", "4096"],
  ["--strategy fair", "--strategy", "fair", '"spread", "binpack"'],
  ["--constraint disk=ssd", "--constraint", "disk=ssd", "host.labels.NAME"],
  ["--host Host_1", "--host", "Host_1", "a DNS label, or its id"],
  ["--health-interval 30s", "--health-interval", "30s", "needs --health-cmd"],
  ["--health-cmd true --health-interval 30", "--health-interval", "30", "a duration such as"],
  ["--health-cmd [1]", "--health-cmd", "[1]", "a JSON list of strings"],
  ["--health-cmd true --health-on-failure cry", "--health-on-failure", "cry", '"none", "kill"'],
  ["--entrypoint [1", "--entrypoint", "[1", "a JSON list of strings"],
  ["-v data:/data", "--volume", "data:/data", "absolute path"],
  ["-v /a", "--volume", "/a", "SOURCE:DESTINATION"],
  ["-v /a:/b:zz", "--volume", "/a:/b:zz", '"ro", "rw"'],
  ["--tmpfs /a:huge", "--tmpfs", "/a:huge", "size=BYTES"],
  ["--mount /a:/b", "--mount", "/a:/b", "type=bind"],
  ["-v /a:/x -v /b:/x", "--volume, --mount or --tmpfs", "/x", "twice"],
  ["-v /a:/x/../y", "--volume, --mount or --tmpfs", "/x/../y", 'must not contain ".."'],
];

test.each(refused)("%s is refused", (flags, flag, value, allowed) => {
  const message = messageOf(() => specOf(...flags.split(" "), "busybox"));
  expect(message).toContain(`Cannot use ${flag} ${JSON.stringify(value)}: `);
  expect(message).toContain(allowed);
});

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return "";
}
