/** A signal that is aborted by the first SIGTERM or SIGINT. The second has the default effect: it ends the process. */
export function terminationSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.once(name, () => controller.abort());
  }
  return controller.signal;
}
