import { PodfleetError } from "@podfleet/model/errors";
import { DatabaseError } from "pg";

/** The operating error behind a failed query; undefined for a defect. Drizzle and tRPC wrap errors, so it searches the causes. */
export function findDatabaseError(error: unknown): PodfleetError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (isUnavailable(cause)) {
      return new PodfleetError("UNAVAILABLE", "Cannot reach Postgres", { cause: error });
    }
    if (cause instanceof DatabaseError && nulCodes.has(cause.code ?? "")) {
      return new PodfleetError(
        "INVALID_INPUT",
        "Cannot store the request: a text in it holds a NUL character",
        { cause: error },
      );
    }
  }
  return undefined;
}

/** Whether `error` is a violation of this unique constraint. */
export function violatesUnique(error: unknown, constraint: string): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof DatabaseError && cause.code === "23505") {
      return cause.constraint === constraint;
    }
  }
  return false;
}

/** `untranslatable_character` and `character_not_in_repertoire`. */
const nulCodes: ReadonlySet<string> = new Set(["22P05", "22021"]);

const socketCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOENT",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);

/** Messages of errors that pg gives no code. */
const connectionMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

function isUnavailable(error: Error): boolean {
  const code = "code" in error ? String(error.code) : "";
  // Class 08: connection exceptions; 57P0x: shutdown and start-up of the server.
  if (error instanceof DatabaseError) return /^(08|57P0|53300)/.test(code);
  return (socketCodes.has(code) && "syscall" in error) || connectionMessages.test(error.message);
}
