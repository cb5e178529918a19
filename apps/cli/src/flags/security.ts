import type { ContainerSpecInput } from "@podfleet/model/container/spec";

import { flagError } from "./flag-error.ts";

/** What a `--security-opt` sets in the spec. */
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
