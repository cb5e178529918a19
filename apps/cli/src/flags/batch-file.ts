/**
 * The file of `podfleet batch`, YAML or JSON:
 *
 *     container: web
 *     continueOnError: true
 *     steps:
 *       - start
 *       - exec: { command: [sh, -c, "reindex /srv"], timeoutSeconds: 60 }
 *       - stop: { timeoutSeconds: 5 }
 *
 * A step is a verb, or a verb with its arguments in the API.
 */
import { PodfleetError } from "@podfleet/model/errors";
import { stepsSchema } from "@podfleet/model/verb/batch-verb";
import { parse, YAMLParseError } from "yaml";
import { z } from "zod";

const batchSchema = z.strictObject({
  /** Name, id or id prefix. */
  container: z.string().min(1, "must not be empty"),
  continueOnError: z.boolean().default(false),
  steps: stepsSchema,
});
export type Batch = z.infer<typeof batchSchema>;

/** @throws PodfleetError INVALID_INPUT that names the step and what is allowed */
export function parseBatch(path: string, text: string): Batch {
  const file = readYaml(path, text);
  const written = isMapping(file) && Array.isArray(file["steps"]) ? file["steps"] : [];
  const steps = { steps: written.map((step: unknown) => expand(step)) };
  const result = batchSchema.safeParse(
    isMapping(file) && Array.isArray(file["steps"]) ? { ...file, ...steps } : file,
  );
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = placeOf(issue?.path ?? [], written);
  throw unusable(path, `${place}${issue?.message ?? "it is not a batch"}`, result.error);
}

function readYaml(path: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw unusable(path, error.message.split("\n")[0] ?? error.message, error);
  }
}

/** Expands `stop` and `stop: { timeoutSeconds: 5 }` to steps of the API. */
function expand(step: unknown): unknown {
  if (typeof step === "string") return { verb: verbOf(step) };
  if (!isMapping(step)) return step;
  const [[name, input] = [], ...others] = Object.entries(step);
  if (name === undefined || others.length > 0) return step;
  if (name === "exec") return { verb: verbOf(name), spec: input };
  return { ...(isMapping(input) ? input : {}), verb: verbOf(name) };
}

function verbOf(name: string): string {
  return name === "exec" ? "exec.start" : `container.${name}`;
}

/** @returns the beginning of an error: `step 2 (stop): timeoutSeconds: ` */
function placeOf(path: readonly PropertyKey[], steps: readonly unknown[]): string {
  const [field, position, ...rest] = path.map(String);
  if (field === undefined) return "";
  if (field !== "steps" || position === undefined) return `${field}: `;
  const step = steps[Number(position)];
  const name = typeof step === "string" ? step : isMapping(step) ? Object.keys(step)[0] : undefined;
  const argument = rest.filter((key) => key !== "spec").join(".");
  return `step ${Number(position) + 1}${name ? ` (${name})` : ""}: ${argument && `${argument}: `}`;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unusable(path: string, reason: string, cause: unknown): PodfleetError {
  return new PodfleetError("INVALID_INPUT", `Cannot use ${JSON.stringify(path)}: ${reason}`, {
    details: { file: path },
    cause,
  });
}
