import { PodfleetError } from "@podfleet/model/errors";
import type { z } from "zod";

/** INVALID_INPUT that names each field by its path, the value it has and what is allowed. */
export function inputError(error: z.ZodError, input: unknown): PodfleetError {
  const fields = error.issues.flatMap((issue) => describe(issue, [], input));
  const message = `Invalid input: ${fields.map((field) => field.message).join("; ")}`;
  return new PodfleetError("INVALID_INPUT", message, { details: { fields }, cause: error });
}

interface FieldError {
  readonly path: string;
  readonly message: string;
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

function describe(issue: Issue, parent: Path, input: unknown): FieldError[] {
  const path = [...parent, ...issue.path];
  switch (issue.code) {
    case "invalid_union":
      return describeUnion(issue, path, input);
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        path: format([...path, key]),
        message: `${format([...path, key])} is not a field that is known here`,
      }));
    default:
      return [field(path, input, requirement(issue))];
  }
}

/** Of a union's branches, the one that got furthest says best what was meant. */
function describeUnion(
  issue: Extract<Issue, { code: "invalid_union" }>,
  path: Path,
  input: unknown,
): FieldError[] {
  if (issue.errors.length === 0) return [field(path, input, requirement(issue))];
  const depth = (issues: readonly Issue[]): number =>
    Math.max(...issues.map((each) => each.path.length));
  const deepest = Math.max(...issue.errors.map(depth));
  if (deepest === 0) {
    const allowed = new Set(issue.errors.flat().map(requirement));
    return [field(path, input, [...allowed].join(" or "))];
  }
  const branch = issue.errors.find((issues) => depth(issues) === deepest) ?? [];
  return branch.flatMap((each) => describe(each, path, input));
}

function field(path: Path, input: unknown, requirement: string): FieldError {
  const value = valueAt(input, path);
  const name = format(path);
  const state = value === undefined ? "is missing" : `is ${quote(value)}`;
  return { path: name, message: `${name} ${state}, ${requirement}` };
}

function requirement(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.message.startsWith("must ")
        ? issue.message
        : `must be ${article(issue.expected)}`;
    case "invalid_value":
      return `must be ${issue.values.length > 1 ? "one of " : ""}${issue.values.map(quote).join(", ")}`;
    case "too_small":
      return issue.message.startsWith("must ") || issue.message.includes(" must ")
        ? issue.message
        : bound("at least", issue.minimum, issue.origin);
    case "too_big":
      return issue.message.startsWith("must ") || issue.message.includes(" must ")
        ? issue.message
        : bound("at most", issue.maximum, issue.origin);
    default:
      return issue.message;
  }
}

const units: Readonly<Record<string, string>> = {
  string: " characters",
  array: " items",
  set: " items",
  record: " entries",
};

function bound(word: string, limit: number | bigint, origin: string): string {
  const unit = units[origin];
  return unit ? `must have ${word} ${limit}${unit}` : `must be ${word} ${limit}`;
}

const nouns: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

function article(expected: string): string {
  return nouns[expected] ?? expected;
}

/** `spec.mounts[0].source`; the input itself is `input`. */
function format(path: Path): string {
  if (path.length === 0) return "input";
  return path
    .map((key, index) =>
      typeof key === "number" ? `[${key}]` : `${index > 0 ? "." : ""}${String(key)}`,
    )
    .join("");
}

function valueAt(input: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined,
    input,
  );
}

const quotedLengthMax = 80;

function quote(value: unknown): string {
  const text = typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > quotedLengthMax ? `${text.slice(0, quotedLengthMax)}...` : text;
}
