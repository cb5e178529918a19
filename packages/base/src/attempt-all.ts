import pLimit from "p-limit";

/**
 * Does `body` for every item, `atOnceMax` of them at once, and throws what failed when all have ended: an item that fails takes no
 * other with it.
 * @throws the failure of the only item that failed, or an AggregateError of several
 */
export async function attemptAll<T>(
  items: Iterable<T>,
  body: (item: T) => unknown,
  atOnceMax = Number.POSITIVE_INFINITY,
): Promise<void> {
  const limit = pLimit(atOnceMax);
  const attempts = [...items].map((item) => limit(async () => await body(item)));
  const results = await Promise.allSettled(attempts);
  const failures = results.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
  const [first] = failures as unknown[];
  if (failures.length === 0) return;
  if (failures.length === 1) throw first;
  const reason = first instanceof Error ? first.message : String(first);
  const message = `${failures.length} of ${results.length} failed, the first with: ${reason}`;
  throw new AggregateError(failures, message);
}
