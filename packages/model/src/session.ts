/**
 * Sessions: one client's hold on the input and output of a container's run, or of an exec session. A session outlives its connection,
 * the control plane, NATS and the agent; the client comes back to it with its id and goes on where it was.
 *
 *     connected ◀──resume── disconnected ──`onDisconnect` is due──▶ ended
 *        └──the command has ended and its exit was delivered; or it was closed──▶ ended
 */
import { z } from "zod";

import { terminalSizeSchema } from "./exec.ts";
import { containerIdSchema, execIdSchema, sessionIdSchema } from "./ids.ts";

/**
 * none       only watches
 * shared     writes; so may other sessions, and what they write arrives in the order in which the agent takes it
 * exclusive  writes, and no other session may write meanwhile
 */
export const sessionInputs = ["none", "shared", "exclusive"] as const;

/** What happens to the command when no client has come back in time. The session ends in any case. */
export const disconnectActions = ["keep", "hangup", "kill"] as const;

export const onDisconnectSchema = z.strictObject({
  /**
   * keep    nothing: the command runs on
   * hangup  its input ends and it is sent SIGHUP
   * kill    it is sent SIGKILL
   */
  action: z.enum(disconnectActions).default("keep"),
  /** Counted from the loss of the connection. */
  afterSeconds: z.number().int().min(0).max(31_536_000).default(600),
});

export const sessionSpecSchema = z.strictObject({
  /** This exec session instead of the container's own command. */
  execId: execIdSchema.optional(),
  /**
   * present  the run under way, or that of a created container
   * next     the run that the next start begins: the session is there before the command runs
   */
  run: z.enum(["present", "next"]).default("present"),
  input: z.enum(sessionInputs).default("none"),
  /**
   * start   byte 0 of what the journal has
   * now     what is written from now on
   * number  an offset in the journal: 0, a located one, or one that an earlier session has got to
   */
  from: z.union([z.enum(["start", "now"]), z.number().int().min(0)]).default("now"),
  /** Set before the first output; only for a terminal. */
  terminalSize: terminalSizeSchema.optional(),
  onDisconnect: onDisconnectSchema.prefault({}),
});
/** A spec as it is stored: every default is filled in. */
export type SessionSpec = z.infer<typeof sessionSpecSchema>;

/**
 * exited   the command has ended and the client has taken its exit
 * closed   someone ended the session
 * expired  no client came back in time
 * gone     what it was about does not exist any more
 */
export const sessionEnds = ["exited", "closed", "expired", "gone"] as const;

export const sessionSchema = z.object({
  id: sessionIdSchema,
  containerId: containerIdSchema,
  /** The container's run that it is about. */
  run: z.number().int().min(1),
  spec: sessionSpecSchema,
  /** The command has a terminal. */
  tty: z.boolean(),
  /** Who opened it; nobody else may resume it. */
  caller: z.string(),
  openedAt: z.iso.datetime(),
  /** A client is connected. */
  connected: z.boolean(),
  /** When the last connection was lost or left. */
  disconnectedAt: z.iso.datetime().optional(),
  /** The client left on purpose (detach keys): `onDisconnect` does nothing to the command then. */
  detached: z.boolean().default(false),
  /** Offset in the journal up to which the client has acknowledged output, as last stored. */
  acknowledged: z.number().int().min(0),
  end: z.enum(sessionEnds).optional(),
  endedAt: z.iso.datetime().optional(),
});
export type Session = z.infer<typeof sessionSchema>;

/** How the command of a session ended. */
export const commandExitSchema = z.object({
  /** Absent when it could not be learnt (`exitUnknown`), or its time was up (`timedOut`). */
  exitCode: z.number().int().min(0).max(255).optional(),
  exitUnknown: z.boolean().default(false),
  timedOut: z.boolean().default(false),
});
export type CommandExit = z.infer<typeof commandExitSchema>;
