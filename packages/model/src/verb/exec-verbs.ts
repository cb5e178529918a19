import { z } from "zod";

import { execSpecSchema } from "../exec.ts";
import { signalSchema } from "../signal.ts";
import type { VerbDefinition } from "./definition.ts";

/** Verbs on one exec session of a container. */
export const execVerbs = {
  /** Starts the command; as a step, runs it to its end. */
  "exec.start": {
    on: "new-exec",
    needs: "operate",
    step: true,
    input: { spec: execSpecSchema },
    can: {
      states: ["running"],
      refusal: "CANNOT_INVOKE",
      errors: ["COMMAND_NOT_FOUND", "COMMAND_NOT_EXECUTABLE", "INVALID_INPUT", "INTERRUPTED"],
      phrase: "invoke a command in",
    },
  },
  "exec.kill": {
    on: "exec",
    needs: "operate",
    input: { signal: signalSchema.prefault("KILL") },
  },
  "exec.remove": {
    on: "exec",
    needs: "operate",
    input: {
      /** Kills it first when it runs. */
      force: z.boolean().default(false),
    },
  },
} as const satisfies Record<`exec.${string}`, VerbDefinition>;
