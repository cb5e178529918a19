import type { Database } from "@podfleet/db/database";
import { driveLeaseMs, extendDrive } from "@podfleet/db/operations";
import type { OperationId } from "@podfleet/model/ids";

const intervalMs = driveLeaseMs / 4;

/** Extends an operation's lease during its upload, so that no replica settles it. */
export class DriveLease {
  readonly #database: Database;
  readonly #id: OperationId;
  #extendedMs = performance.now();

  constructor(database: Database, id: OperationId) {
    this.#database = database;
    this.#id = id;
  }

  /** Called with each chunk; extends the lease when it is due. */
  async keep(): Promise<void> {
    if (performance.now() - this.#extendedMs < intervalMs) return;
    await extendDrive(this.#database, this.#id);
    this.#extendedMs = performance.now();
  }
}
