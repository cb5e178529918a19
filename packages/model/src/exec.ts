/**
 * Exec sessions: further commands inside a running container.
 *
 *     created ──the runtime has started the command──▶ running ──the command ends──▶ exited
 *        └──it could not be started──▶ (no session)
 *
 * created  on record; not started yet, or the runtime is being told
 * running  the command runs
 * exited   the command has ended; session, exit code and output are kept for a while
 */
import { z } from "zod";

import { capabilitySchema } from "./container/capability.ts";
import {
  absolutePathSchema,
  argumentSchema,
  environmentSchema,
  userSchema,
} from "./container/spec.ts";
import { detachKeysDefault, detachKeysSchema } from "./detach-keys.ts";
import { containerIdSchema, execIdSchema } from "./ids.ts";

/** The first descriptor beside the three standard ones. */
export const firstExtraDescriptor = 3;

/** Size of a terminal in characters. */
export const terminalSizeSchema = z.strictObject({
  height: z.number().int().min(1, "must be at least 1").max(65_535),
  width: z.number().int().min(1, "must be at least 1").max(65_535),
});
export type TerminalSize = z.infer<typeof terminalSizeSchema>;

/** What a user asks to be run. What is absent is as it is for the container's own command. Defaults are podman's. */
export const execSpecSchema = z.strictObject({
  command: z.array(argumentSchema).min(1, "must name a command"),
  /** Allocates a terminal for the command. */
  tty: z.boolean().default(false),
  /** The terminal's size at the beginning. */
  terminalSize: terminalSizeSchema.optional(),
  /** Keeps the command's standard input open, whether or not somebody writes to it; without, it reads the end at once. */
  stdin: z.boolean().default(false),
  /** Over the container's own. */
  env: environmentSchema.default({}),
  /** Looked up in the container; supplementary groups of the container's own user are not passed on to another. */
  user: userSchema.optional(),
  workdir: absolutePathSchema.optional(),
  /** All capabilities that the host's agent has, whatever the container's. */
  privileged: z.boolean().default(false),
  capabilitiesAdd: z.array(capabilitySchema).default([]),
  /**
   * How many descriptors the command finds open beside the three standard ones, from 3 on. What it writes to each is kept
   * with the session and can be read by offset; they cannot be read from.
   */
  preserveFds: z.number().int().min(0).max(16, "must be at most 16").default(0),
  /** Streams that a client of the session is shown; both are kept. */
  attach: z.array(z.enum(["stdout", "stderr"])).default(["stdout", "stderr"]),
  /** What a terminal's user types to leave the session without ending it; empty: nothing does. */
  detachKeys: detachKeysSchema.default(detachKeysDefault),
  /** The command is killed when it runs for longer; without a limit when absent. */
  timeoutSeconds: z.number().int().min(1, "must be at least 1").max(31_536_000).optional(),
});
/** A spec as it is stored: every default is filled in. */
export type ExecSpec = z.infer<typeof execSpecSchema>;

export const execStates = ["created", "running", "exited"] as const;
export type ExecState = (typeof execStates)[number];

export const execSessionSchema = z.object({
  id: execIdSchema,
  containerId: containerIdSchema,
  spec: execSpecSchema,
  state: z.enum(execStates),
  /** The container's run that it is part of; it ends with it. */
  run: z.number().int().min(0),
  /** Process id on the host, while it runs. */
  pid: z.number().int().positive().optional(),
  /** Absent before the end, and when it could not be learnt (`exitUnknown`) or the time was up (`timedOut`). */
  exitCode: z.number().int().min(0).max(255).optional(),
  /** It has ended and its exit code was lost with its monitor. */
  exitUnknown: z.boolean().default(false),
  /** It was killed because `timeoutSeconds` were over. */
  timedOut: z.boolean().default(false),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().optional(),
  finishedAt: z.iso.datetime().optional(),
});
export type ExecSession = z.infer<typeof execSessionSchema>;
