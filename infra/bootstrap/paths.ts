/** Where set-up keeps things. */
import { homedir } from "node:os";
import { join } from "node:path";

import { contextPath } from "@podfleet/client/context";

/** What survives `npm stop` and reboots; `npm run reset` deletes it. */
export const dataRoot = "/var/lib/podfleet";
/** What describes running processes; `npm stop` deletes it. */
export const runRoot = "/run/podfleet";
/** Where the control plane serves the Docker API. */
export const dockerSocketPath = join(runRoot, "docker.sock");
/** Cgroup, in every hierarchy, below which all containers of all hosts run. */
export const cgroupRoot = "podfleet";

export const logFolder = join(dataRoot, "log");
export const natsFolder = join(dataRoot, "nats");
export const postgresFolder = join(dataRoot, "postgres");
export const hostsFolder = join(dataRoot, "hosts");

/** The CLI's context file of the user who runs set-up. */
export const cliContextPath = contextPath({
  configHome: process.env["XDG_CONFIG_HOME"],
  home: homedir(),
});
