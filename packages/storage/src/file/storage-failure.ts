import { PodfleetError } from "@podfleet/model/errors";

/** Runs `body`; turns a failure of the file system or of a tool into STORAGE_FAILED, and passes other PodfleetErrors on. */
export async function storing<T>(action: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof PodfleetError && error.code !== "RUNTIME_FAILED") throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new PodfleetError("STORAGE_FAILED", `Cannot ${action}: ${reason}`, { cause: error });
  }
}
