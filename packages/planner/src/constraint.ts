/** Placement constraints in SwarmKit's syntax, which the model's schema has checked. */
import { invariant } from "@podfleet/base/invariant";

import type { CandidateHost } from "./candidate-host.ts";

const form = /^host\.(name|id|labels\.(\S+?))\s*(==|!=)\s*(\S.*?)\s*$/;

/** The reason why `host` does not meet `constraint`; undefined when it does. A label that is not set equals no value. */
export function findViolation(constraint: string, host: CandidateHost): string | undefined {
  const parts = form.exec(constraint);
  invariant(parts, `constraint ${JSON.stringify(constraint)} was not checked`);
  const [, key = "", label, operator, wanted = ""] = parts;
  const actual = label === undefined ? fieldOf(host, key) : host.labels[label];
  if ((actual === wanted) === (operator === "==")) return undefined;
  const state = actual === undefined ? "is not set" : `is ${JSON.stringify(actual)}`;
  return `host.${key} ${state}, must be ${operator} ${JSON.stringify(wanted)}`;
}

function fieldOf(host: CandidateHost, key: string): string {
  return key === "id" ? host.id : host.name;
}
