/** Writes docs/container-methods.md from the capability table and the verb table. A test checks that the file is current. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { type ContainerState, containerStates } from "@podfleet/model/container/state";
import type { ErrorCode } from "@podfleet/model/errors";
import type { EventType } from "@podfleet/model/event-type";
import {
  containerCan,
  type ContainerMethod,
  isAllowed,
  refusalOf,
} from "@podfleet/model/verb/container-methods";

const introduction = `# Container methods

In which states a container's methods are accepted, what state it has after success, what a refusal is, what else may fail, and the
event of success. \`scripts/method-table.ts\` makes this page from the verb table in \`packages/model/src/verb\` and the methods in
\`container-methods.ts\` beside it, which the engine's guards read too; \`packages/model/src/container/state.ts\` describes the states,
[errors.md](errors.md) the errors.

Where there is no state after, the method leaves it as it was, or brings it back. Any method may also fail with \`CONTAINER_NOT_FOUND\`,
\`AMBIGUOUS_ID\`, \`INVALID_INPUT\` for a request that is not well formed, \`HOST_UNREACHABLE\` and \`UNAVAILABLE\`; one that changes something with
\`CONFLICT\`, \`LOCK_TIMEOUT\`, \`RUNTIME_FAILED\` and \`RUNTIME_TIMEOUT\`. A batch fails with the error of its first step that failed.

| method | accepted states | state after | refusal | further errors | event |
| --- | --- | --- | --- | --- | --- |
`;

export function renderMethodTable(): string {
  const rows = (Object.keys(containerCan) as ContainerMethod[]).map((method) => {
    const capability: {
      readonly result?: ContainerState;
      readonly errors: readonly ErrorCode[];
      readonly event?: EventType;
    } = containerCan[method];
    const cells = [
      code(method),
      acceptedStates(method),
      capability.result ? code(capability.result) : "",
      refusals(method),
      capability.errors.map(code).join(", "),
      capability.event ? code(capability.event) : "",
    ];
    return `| ${cells.join(" | ")} |\n`;
  });
  return introduction + rows.join("");
}

function acceptedStates(method: ContainerMethod): string {
  const others = containerStates.filter((state) => !isAllowed(method, state));
  if (others.length === 0) return "any";
  if (others.length === 1) return `all but ${others.map(code).join()}`;
  return list(containerCan[method].states);
}

/** Describes the refusals: the error in most of the states that are not accepted, then those in the others. */
function refusals(method: ContainerMethod): string {
  const refused = containerStates.filter((state) => !isAllowed(method, state));
  const byCode = Map.groupBy(refused, (state) => refusalOf(method, state));
  const [usual, ...others] = [...byCode].toSorted(([, a], [, b]) => b.length - a.length);
  if (!usual) return "";
  const exceptions = others.map(([error, states]) => `${code(error)} in ${list(states)}`);
  return [code(usual[0]), ...exceptions].join("; ");
}

function list(states: readonly ContainerState[]): string {
  return states.map(code).join(", ");
}

function code(text: string): string {
  return `\`${text}\``;
}

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, "../docs/container-methods.md"), renderMethodTable());
}
