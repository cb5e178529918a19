import { rlimitSchema } from "@podfleet/model/container/spec";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";

import { flagError } from "./flag-error.ts";

type Rlimit = NonNullable<ContainerSpecInput["rlimits"]>[number];

/** `TYPE=SOFT[:HARD]`; the hard limit is the soft one when absent, -1 is unlimited. */
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
