import type { Database } from "@podfleet/db/database";
import { driveLeaseMs, extendDrive } from "@podfleet/db/operations";
import type { OperationId } from "@podfleet/model/ids";

const intervalMs = driveLeaseMs / 4;

/** Keeps others from settling an operation while its caller's bytes are on their way. */
export class DriveLease {
  readonly #database: Database;
  readonly #id: OperationId;
  #extendedMs = performance.now();

  constructor(database: Database, id: OperationId) {
    this.#database = database;
    this.#id = id;
  }

  /** Call it with each piece. */
  async keep(): Promise<void> {
    if (performance.now() - this.#extendedMs < intervalMs) return;
    await extendDrive(this.#database, this.#id);
    this.#extendedMs = performance.now();
  }
}
