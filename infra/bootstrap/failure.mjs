/** An error with its remedy in one sentence, printed without a stack trace. */
export class SetUpFailure extends Error {
  /** @override */
  name = "SetUpFailure";
}

/**
 * Prints an error and sets the exit code. Errors other than SetUpFailure are printed with their stack trace.
 * @param {unknown} error
 */
export function reportFailure(error) {
  const text = error instanceof SetUpFailure ? error.message : error;
  console.error("podfleet:", text);
  process.exitCode = 1;
}
