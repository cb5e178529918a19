/** Flags of a container that have a syntax of their own, which is podman's. */
import type { RestartPolicy } from "@podfleet/model/container/restart-policy";
import { rlimitSchema } from "@podfleet/model/container/spec";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";

import { flagError, parseCommandList } from "./values.ts";

/** `--entrypoint`: plain text is one word, a JSON list several; an empty value clears the image's entrypoint. */
export function parseEntrypoint(text: string): string[] {
  if (text === "") return [];
  return parseCommandList("--entrypoint", text) ?? [text];
}

/** `--restart`: `no`, `always`, `unless-stopped` or `on-failure[:RETRIES]`; empty means `no`. */
export function parseRestartPolicy(text: string): RestartPolicy {
  switch (text) {
    case "":
    case "no":
      return { name: "no" };
    case "always":
    case "unless-stopped":
    case "on-failure":
      return { name: text };
    default: {
      const retries = /^on-failure:(\d{1,9})$/.exec(text)?.[1];
      if (retries !== undefined) return { name: "on-failure", retriesMax: Number(retries) };
      throw flagError(
        "--restart",
        text,
        'must be "no", "always", "unless-stopped", "on-failure" or "on-failure:RETRIES"',
      );
    }
  }
}

/** `--security-opt`: returns the fields of the spec that it sets. */
export function parseSecurityOption(
  text: string,
): Pick<ContainerSpecInput, "seccomp" | "noNewPrivileges"> {
  switch (text) {
    case "seccomp=unconfined":
      return { seccomp: "unconfined" };
    case "no-new-privileges":
    case "no-new-privileges:true":
    case "no-new-privileges=true":
      return { noNewPrivileges: true };
    case "no-new-privileges:false":
    case "no-new-privileges=false":
      return { noNewPrivileges: false };
    default:
      throw flagError(
        "--security-opt",
        text,
        'must be "seccomp=unconfined", "no-new-privileges" or "no-new-privileges:false"',
      );
  }
}

type Rlimit = NonNullable<ContainerSpecInput["rlimits"]>[number];

/** `--ulimit`: `TYPE=SOFT[:HARD]`. The hard limit defaults to the soft one; -1 is unlimited. */
export function parseUlimit(text: string): Rlimit {
  const match = /^([a-z_]+)=(-1|\d{1,15})(?::(-1|\d{1,15}))?$/i.exec(text);
  const types = rlimitSchema.shape.type.options;
  const type = types.find((name) => name === match?.[1]?.toLowerCase().replace(/^rlimit_/, ""));
  if (!match || !type) {
    throw flagError(
      "--ulimit",
      text,
      `must be "TYPE=SOFT" or "TYPE=SOFT:HARD" with TYPE one of ${types.join(", ")}`,
    );
  }
  const soft = Number(match[2]);
  const hard = match[3] === undefined ? soft : Number(match[3]);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw flagError("--ulimit", text, "the soft limit must not be above the hard limit");
  }
  return { type, soft, hard };
}
