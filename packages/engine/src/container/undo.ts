import { PodfleetError } from "@podfleet/model/errors";

/** Undoes what led to `failure`. When that fails too, both are told. */
export async function undoAfter(failure: unknown, undo: () => Promise<void>): Promise<void> {
  try {
    await undo();
  } catch (undoFailure) {
    const first = PodfleetError.from(failure);
    const second = PodfleetError.from(undoFailure);
    throw new PodfleetError(
      first.code,
      `${first.message}; taking it back failed too: ${second.message}`,
      { cause: new AggregateError([failure, undoFailure]) },
    );
  }
}
