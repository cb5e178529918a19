/** Throws when the program itself is wrong. Operating errors are `PodfleetError`s instead. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Invariant violated: ${message}`);
}

/** Makes a switch over a union exhaustive at compile time and loud at run time. */
export function assertNever(value: never): never {
  throw new Error(`Invariant violated: unexpected value ${JSON.stringify(value)}`);
}
