/** Why set-up cannot go on, in one sentence with its remedy; shown without a stack trace. */
export class SetUpFailure extends Error {
  /** @override */
  name = "SetUpFailure";
}

/**
 * Prints a failure and sets the exit code. A defect keeps its stack trace.
 * @param {unknown} error
 */
export function reportFailure(error) {
  const text = error instanceof SetUpFailure ? error.message : error;
  console.error("podfleet:", text);
  process.exitCode = 1;
}
