/** Whether `error` is the system's refusal with one of `codes` ("ENOENT"). */
export function hasErrno(error: unknown, ...codes: readonly string[]): error is Error {
  return error instanceof Error && "code" in error && codes.some((code) => code === error.code);
}
