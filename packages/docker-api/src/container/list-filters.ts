/**
 * The filters of `GET /containers/json`: a JSON object of lists, `{"status": ["running"]}`, or in Docker's newer form of objects,
 * `{"status": {"running": true}}`. Values of one filter are alternatives, but for labels, of which a container has all.
 */
import { healthStates } from "@podfleet/model/container/healthcheck";
import type { ContainerSummary } from "@podfleet/model/container/record";
import { PodfleetError } from "@podfleet/model/errors";
import { fullImageName, matchesImage } from "@podfleet/model/image";
import { z } from "zod";

import { parseInput } from "../http/query.ts";
import { dockerState, dockerStates } from "./container-state.ts";

const namesSchema = z.union([
  z.array(z.string()),
  z.record(z.string(), z.boolean()).transform((set) => Object.keys(set).filter((key) => set[key])),
]);

function each<Schema extends z.ZodType<unknown, string>>(value: Schema) {
  return namesSchema.pipe(z.array(value)).optional();
}

const exitCodeSchema = z
  .string()
  .regex(/^\d{1,3}$/, "must be an exit code")
  .transform(Number);

/** Docker takes any regular expression; only those that match in bounded time are accepted. */
const nameSchema = z
  .string()
  .regex(/^\^?\/?[a-zA-Z0-9_.-]*\$?$/, "must be a part of a name, where ^ and $ stand for its ends")
  .transform(
    (text) =>
      new RegExp(
        text.replace("/", text.startsWith("^") ? "" : "^").replaceAll(".", String.raw`\.`),
      ),
  );

const filtersSchema = z.strictObject({
  id: each(z.string()),
  name: each(nameSchema),
  label: each(z.string().min(1)),
  status: each(z.enum(dockerStates)),
  health: each(z.enum(["none", ...healthStates])),
  exited: each(exitCodeSchema),
  ancestor: each(z.string().min(1)),
  /** Created before, or after, the container of this name or id. */
  before: each(z.string().min(1)),
  since: each(z.string().min(1)),
  /** An extension: the container is on this host. */
  host: each(z.string().min(1)),
});
export type ListFilters = z.output<typeof filtersSchema>;

/** @throws PodfleetError INVALID_INPUT that names the filter, its value and what is allowed */
export function parseFilters(text: string | undefined): ListFilters {
  if (text === undefined || text === "") return {};
  try {
    return parseInput(z.object({ filters: filtersSchema }), { filters: JSON.parse(text) }).filters;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new PodfleetError("INVALID_INPUT", `filters is not JSON: ${error.message}`, {
      cause: error,
    });
  }
}

/** Returns the containers that match the filters, newest first. */
export function filterContainers(
  containers: readonly ContainerSummary[],
  filters: ListFilters,
): ContainerSummary[] {
  const earliest = limitOf(containers, filters.before, "before");
  const latest = limitOf(containers, filters.since, "since");
  return containers.filter((container, index) => {
    const isBetween = (earliest ?? -1) < index && index < (latest ?? containers.length);
    return isBetween && fits(container, filters);
  });
}

function fits(container: ContainerSummary, filters: ListFilters): boolean {
  const { id, name, labels, host } = container;
  return (
    any(filters.id, (prefix) => id.startsWith(prefix)) &&
    any(filters.name, (pattern) => pattern.test(name)) &&
    any(filters.status, (state) => state === dockerState(container)) &&
    any(filters.health, (health) => health === (container.health ?? "none")) &&
    any(
      filters.exited,
      (code) => dockerState(container) === "exited" && container.exitCode === code,
    ) &&
    any(filters.ancestor, (reference) => matchesImage(reference, imageOf(container))) &&
    any(filters.host, (reference) => reference === host.name || reference === host.id) &&
    (filters.label ?? []).every((label) => hasLabel(labels, label))
  );
}

function imageOf({ image, imageId }: ContainerSummary) {
  return { id: imageId ?? "", names: [fullImageName(image)] };
}

function any<T>(values: readonly T[] | undefined, matches: (value: T) => boolean): boolean {
  return values === undefined || values.length === 0 || values.some((value) => matches(value));
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = "", ...value] = wanted.split("=");
  if (!Object.hasOwn(labels, key)) return false;
  return !wanted.includes("=") || labels[key] === value.join("=");
}

/** The index of the container that a filter names. */
function limitOf(
  containers: readonly ContainerSummary[],
  references: readonly string[] | undefined,
  filter: string,
): number | undefined {
  const [reference, ...more] = references ?? [];
  if (reference === undefined) return undefined;
  if (more.length > 0) {
    throw new PodfleetError("INVALID_INPUT", `filters.${filter} must name one container`);
  }
  const index = containers.findIndex(
    ({ id, name }) => name === reference || id.startsWith(reference),
  );
  if (index >= 0) return index;
  throw new PodfleetError(
    "CONTAINER_NOT_FOUND",
    `Cannot find container ${JSON.stringify(reference)}, which filters.${filter} names`,
    { details: { container: reference } },
  );
}
