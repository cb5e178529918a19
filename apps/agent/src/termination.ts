/** Aborted by the first SIGTERM or SIGINT, which asks the agent to end. A second one ends it as if it were not handled. */
export function terminationSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.once(name, () => controller.abort());
  }
  return controller.signal;
}
