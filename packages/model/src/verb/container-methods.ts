/** The capability table: which method of a container is allowed in which of its states. */
import type { ContainerState } from "../container/state.ts";
import { type ErrorCode, PodfleetError } from "../errors.ts";
import { type EventType, successOf } from "../event-type.ts";
import { anyState, type Capability, notRemoving, type VerbDefinition } from "./definition.ts";
import { type DefinitionOf, type Verb, verbNames, verbs } from "./verbs.ts";

/** What opening a session may fail with; `attach` is of the run under way, `attachNext` of the one that the next start begins. */
const sessionErrors = ["SESSION_IN_USE", "SESSION_ENDED", "FORBIDDEN", "INVALID_INPUT"] as const;

/** Methods that are no verbs: they change nothing, or are a verb with a switch that widens what it accepts. */
const otherMethods = {
  forceRemove: {
    states: anyState,
    errors: ["DEPENDENCY_IN_USE", "STORAGE_FAILED"],
    phrase: "remove",
    event: "container.remove",
  },
  attach: {
    states: ["created", "running"],
    errors: sessionErrors,
    phrase: "attach to",
    event: "container.attach",
  },
  attachNext: {
    states: ["configured", "created", "stopped", "exited"],
    errors: sessionErrors,
    phrase: "attach to the next run of",
    event: "container.attach",
  },
  resize: { states: ["created", "running"], errors: [], phrase: "resize the terminal of" },
  inspect: { states: anyState, errors: [], phrase: "inspect" },
  logs: { states: anyState, errors: [], phrase: "read the logs of" },
  wait: { states: anyState, errors: [], phrase: "wait for" },
  export: {
    states: notRemoving,
    errors: ["STORAGE_FAILED"],
    phrase: "export",
    event: "container.export",
  },
  copyFrom: {
    states: notRemoving,
    errors: ["PATH_NOT_FOUND", "STORAGE_FAILED"],
    phrase: "copy from",
  },
  diff: { states: notRemoving, errors: ["STORAGE_FAILED"], phrase: "find the changes of" },
  top: { states: ["running"], errors: [], phrase: "list the processes of" },
  stats: { states: ["running", "paused"], errors: [], phrase: "measure" },
  readArtifacts: {
    states: notRemoving,
    errors: ["ARTIFACT_NOT_FOUND"],
    phrase: "read the artifacts of",
  },
} as const satisfies Record<string, MethodCapability>;

interface MethodCapability extends Capability {
  /** The event of its success; absent for a method that only reads. */
  readonly event?: EventType;
}

/** Verbs of containers without their noun; the others as they are. */
type MethodOf<V extends Verb> = V extends `container.${infer Name}` ? Name : V;

type VerbMethods = {
  [
    V in Verb as DefinitionOf<V> extends { readonly can: Capability } ? MethodOf<V> : never
  ]: MethodCapability & CapabilityOf<V>;
};

type CapabilityOf<V extends Verb> = DefinitionOf<V> extends { readonly can: infer C } ? C : never;

/** The one table of which method is allowed in which state; guards, API errors, disabled buttons and the docs read it. */
export const containerCan = { ...verbMethods(), ...otherMethods };

export type ContainerMethod = keyof typeof containerCan;

function verbMethods(): VerbMethods {
  const methods = verbNames.flatMap((verb) => {
    const { can }: VerbDefinition = verbs[verb];
    return can ? [[nameOf(verb), { ...can, event: successOf(verb) }]] : [];
  });
  return Object.fromEntries(methods) as VerbMethods;
}

/** The method that a verb is; undefined for one that the state of no container decides about. */
export function findMethod(verb: Verb): ContainerMethod | undefined {
  return "can" in verbs[verb] ? (nameOf(verb) as ContainerMethod) : undefined;
}

function nameOf(verb: Verb): string {
  return verb.replace(/^container\./, "");
}

export function isAllowed(method: ContainerMethod, state: ContainerState): boolean {
  return (containerCan[method].states as readonly ContainerState[]).includes(state);
}

/** @throws PodfleetError STATE_INVALID, or the method's own refusal, that names the container, its state and the states that would be right */
export function assertAllowed(
  method: ContainerMethod,
  container: { readonly name: string; readonly state: ContainerState },
): void {
  if (isAllowed(method, container.state)) return;
  const { states, phrase }: Capability = containerCan[method];
  const allowed = states.map((state) => `"${state}"`).join(", ");
  throw new PodfleetError(
    refusalOf(method, container.state),
    `Cannot ${phrase} container "${container.name}": state is "${container.state}", must be one of ${allowed}`,
    { details: { container: container.name, state: container.state, allowed: [...states] } },
  );
}

/** The code of the error in a state that the method does not accept. */
export function refusalOf(method: ContainerMethod, state: ContainerState): ErrorCode {
  const { refusal }: Capability = containerCan[method];
  return (typeof refusal === "object" ? refusal[state] : refusal) ?? "STATE_INVALID";
}
