import type { z } from "zod";

import { PodfleetError } from "./errors.ts";

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
      return issue.keys.map((key) => {
        const name = format([...path, key]);
        return { path: name, message: `${name} is not a field that is known here` };
      });
    case "invalid_key": {
      const name = format(path);
      const allowed = issue.issues.map(requirement).join(", ");
      return [{ path: name, message: `${name} has a name that is not allowed: it ${allowed}` }];
    }
    default:
      return [field(path, input, requirement(issue))];
  }
}

/** Picks the branch of a union that got furthest: it says best what was meant. */
function describeUnion(
  issue: Extract<Issue, { code: "invalid_union" }>,
  path: Path,
  input: unknown,
): FieldError[] {
  const depths = issue.errors.map((issues) => Math.max(...issues.map((each) => each.path.length)));
  const deepest = Math.max(0, ...depths);
  if (deepest > 0) {
    const branch = issue.errors[depths.indexOf(deepest)] ?? [];
    return branch.flatMap((each) => describe(each, path, input));
  }
  const allowed = new Set(issue.errors.flat().map(requirement));
  return [field(path, input, allowed.size > 0 ? [...allowed].join(" or ") : requirement(issue))];
}

function field(path: Path, input: unknown, requirement: string): FieldError {
  const value = valueAt(input, path);
  const name = format(path);
  const state = value === undefined ? "is missing" : `is ${quote(value)}`;
  return { path: name, message: `${name} ${state}, ${requirement}` };
}

/** The library's own wording begins so; what a schema says itself is better. */
const ownWording = /^(Invalid|Too|Unrecognized)\b/;

function requirement(issue: Issue): string {
  if (!ownWording.test(issue.message)) return issue.message;
  switch (issue.code) {
    case "invalid_type":
      return `must be ${nouns[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return oneOf(issue.values);
    case "invalid_union":
      return "options" in issue && Array.isArray(issue.options)
        ? oneOf(issue.options)
        : issue.message;
    case "too_small":
      return bound("at least", issue.minimum, issue.origin);
    case "too_big":
      return bound("at most", issue.maximum, issue.origin);
    case "invalid_format":
      return `must be of the form ${issue.pattern ?? issue.format}`;
    default:
      return issue.message;
  }
}

function oneOf(values: readonly unknown[]): string {
  return `must be ${values.length > 1 ? "one of " : ""}${values.map(quote).join(", ")}`;
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
