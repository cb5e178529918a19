/** Whether the system has refused something, such as for want of files or of space: it may work again. */
export function isSystemError(error: unknown): boolean {
  return error instanceof Error && "errno" in error;
}

/** Whether `error` is the system's refusal with one of `codes` ("ENOENT"). */
export function hasErrno(error: unknown, ...codes: readonly string[]): error is Error {
  return error instanceof Error && "code" in error && codes.some((code) => code === error.code);
}
