import { commandExitSchema, type Session } from "@podfleet/model/session";
import { z } from "zod";

/** The end of a session's command: its exit, and where its output ends. */
export const commandEndSchema = z.object({
  /** Offset in the journal after its last output. */
  offset: z.number().int().min(0),
  exit: commandExitSchema,
});
export type CommandEnd = z.infer<typeof commandEndSchema>;

export interface SessionRecord {
  readonly session: Session;
  /** Absent while the command may still run, and when it never ran. */
  readonly commandEnd?: CommandEnd | undefined;
}
