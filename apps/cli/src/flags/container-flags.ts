/** Flags that `run` and `create` share, with podman's names. */
import type { Command } from "../command.ts";

export interface ContainerFlags {
  readonly name?: string;
  readonly env: readonly string[];
  readonly envFile: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly tty: boolean;
  readonly interactive: boolean;
  readonly rm: boolean;
  readonly replace: boolean;
  readonly init: boolean;
  readonly label: readonly string[];
  readonly labelFile: readonly string[];
  readonly annotation: readonly string[];
  readonly hostname?: string;
  readonly cpus?: string;
  readonly memory?: string;
  readonly pidsLimit?: string;
  readonly cpuShares?: string;
  readonly ulimit: readonly string[];
  readonly volume: readonly string[];
  readonly mount: readonly string[];
  readonly tmpfs: readonly string[];
  readonly restart?: string;
  readonly stopSignal?: string;
  readonly stopTimeout?: string;
  readonly requires: readonly string[];
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly readOnly: boolean;
  readonly securityOpt: readonly string[];
  readonly entrypoint?: string;
  readonly groupAdd: readonly string[];
  readonly network?: string;
  readonly shmSize?: string;
  readonly healthCmd?: string;
  readonly healthInterval?: string;
  readonly healthTimeout?: string;
  readonly healthRetries?: string;
  readonly healthStartPeriod?: string;
  readonly healthOnFailure?: string;
  readonly cidfile?: string;
  readonly host?: string;
  readonly constraint: readonly string[];
  readonly strategy?: string;
}

/** Flags with one value. */
const values: readonly (readonly [flags: string, description: string])[] = [
  ["--name <name>", "name of the container, unique in the fleet"],
  ["-u, --user <user[:group]>", "user, by name or number"],
  ["-w, --workdir <dir>", "working directory"],
  ["-h, --hostname <name>", "host name inside the container"],
  ["--cpus <number>", "CPU limit, such as 1.5, reserved on the host"],
  ["-m, --memory <size>", "memory limit (b, k, m, g), reserved on the host"],
  ["--pids-limit <number>", "limit of processes and threads"],
  ["--cpu-shares <number>", "relative CPU weight, 2 to 262144"],
  ["--restart <policy>", "no, on-failure[:retries], always or unless-stopped"],
  ["--stop-signal <signal>", "signal that stop sends first"],
  ["--stop-timeout <seconds>", "time from the stop signal to SIGKILL"],
  ["--entrypoint <command>", "replace the image's entrypoint: a command, or a JSON list"],
  ["--network <mode>", "none or host"],
  ["--shm-size <size>", "size of /dev/shm (b, k, m, g)"],
  ["--health-cmd <command>", 'healthcheck: a shell command, a JSON list, or "none"'],
  ["--health-interval <duration>", "time between healthchecks"],
  ["--health-timeout <duration>", "time limit of a healthcheck"],
  ["--health-retries <number>", "consecutive failures that make the container unhealthy"],
  ["--health-start-period <duration>", "time after the start during which failures do not count"],
  ["--health-on-failure <action>", "none, kill, restart or stop"],
  ["--cidfile <file>", "write the container's id to a new file"],
  ["--host <name>", "host to place it on"],
  ["--strategy <strategy>", "spread (default) or binpack"],
];

/** Flags that may be given more than once. */
const lists: readonly (readonly [flags: string, description: string])[] = [
  ["-e, --env <name[=value]>", "environment variable; NAME alone takes the caller's value"],
  ["--env-file <file>", "read environment variables from a file"],
  ["-l, --label <key[=value]>", "label"],
  ["--label-file <file>", "read labels from a file"],
  ["--annotation <key=value>", "annotation of the OCI runtime"],
  ["--ulimit <type=soft[:hard]>", "resource limit, such as nofile=1024:2048"],
  ["-v, --volume <source:destination[:options]>", "bind-mount a path of the host"],
  ["--mount <options>", "type=bind,source=,destination= or type=tmpfs,destination="],
  ["--tmpfs <destination[:options]>", "mount a tmpfs (size=, mode=, ro)"],
  ["--requires <container>", "container on the same host that must run first"],
  ["--cap-add <capability>", "add a Linux capability"],
  ["--cap-drop <capability>", "drop a Linux capability"],
  ["--security-opt <option>", "seccomp=unconfined or no-new-privileges[:false]"],
  ["--group-add <group>", "supplementary group"],
  ["--constraint <expression>", "host.name, host.id or host.labels.NAME, == or !=, a value"],
];

const switches: readonly (readonly [flags: string, description: string])[] = [
  ["-t, --tty", "allocate a terminal for the command"],
  ["-i, --interactive", "keep standard input open"],
  ["--rm", "remove the container when its run ends"],
  ["--replace", "first remove the container with this name, even when it runs"],
  ["--init", "run an init that forwards signals and reaps processes"],
  ["--privileged", "all capabilities and devices, nothing masked"],
  ["--read-only", "make the root filesystem read-only"],
];

export function addContainerFlags(command: Command): Command {
  for (const [flags, description] of values) command.option(flags, description);
  for (const [flags, description] of lists) command.listOption(flags, description);
  for (const [flags, description] of switches) command.option(flags, description, false);
  return command;
}
