/** Paths that set-up uses. */
import { homedir } from "node:os";
import { join } from "node:path";

import { contextPath } from "@podfleet/client/context";

/** Data that survives `npm stop` and reboots. `npm run reset` deletes it. */
export const dataRoot = "/var/lib/podfleet";
/** State of running processes. `npm stop` deletes it. */
export const runRoot = "/run/podfleet";
/** Socket on which the control plane serves the Docker API. */
export const dockerSocketPath = join(runRoot, "docker.sock");
/** Parent cgroup of all containers, in every hierarchy. */
export const cgroupRoot = "podfleet";

export const logFolder = join(dataRoot, "log");
export const natsFolder = join(dataRoot, "nats");
export const postgresFolder = join(dataRoot, "postgres");
export const hostsFolder = join(dataRoot, "hosts");

/** Context file of the user who runs set-up. */
export const cliContextPath = contextPath({
  configHome: process.env["XDG_CONFIG_HOME"],
  home: homedir(),
});
