/** What a caller asks to be done to one container, before the container is looked up. */
import { assertNever } from "@podfleet/base/invariant";
import type { Action, Step } from "@podfleet/model/action";
import type { CheckpointOptions, RestoreOptions } from "@podfleet/model/container/checkpoint";
import type { RestartPolicy } from "@podfleet/model/container/restart-policy";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { ExecSpec } from "@podfleet/model/exec";
import type { ContainerId, ExecId, OperationId } from "@podfleet/model/ids";
import type { ResourceChanges } from "@podfleet/model/resources";

export type Mutation =
  | { readonly verb: "container.create"; readonly spec: ContainerSpec }
  | ContainerMutation;

/** `container` is a name, an id or the prefix of one. */
export type ContainerMutation = { readonly container: string } & (
  | { readonly verb: PlainVerb }
  | ContainerChange
  | { readonly verb: "container.start"; readonly recursive: boolean }
  | {
      readonly verb: "container.stop" | "container.restart";
      readonly timeoutSeconds?: number | undefined;
    }
  | { readonly verb: "container.kill"; readonly signal: number }
  | ({ readonly verb: "container.checkpoint" } & CheckpointOptions)
  | ({ readonly verb: "container.restore" } & RestoreOptions)
  | { readonly verb: "container.remove"; readonly force: boolean; readonly dependents: boolean }
  | { readonly verb: "container.unmount"; readonly force: boolean }
  | ({ readonly verb: "container.copy"; readonly path: string } & Uploaded)
  | ({ readonly verb: "artifact.add"; readonly name: string } & Uploaded)
  | { readonly verb: "artifact.remove"; readonly name: string }
  | { readonly verb: "exec.start"; readonly execId: ExecId; readonly spec: ExecSpec }
  | { readonly verb: "exec.kill"; readonly execId: ExecId; readonly signal: number }
  | { readonly verb: "exec.remove"; readonly execId: ExecId; readonly force: boolean }
);

/** Mutations without arguments. */
export type PlainVerb =
  | "container.init"
  | "container.pause"
  | "container.unpause"
  | "container.cleanup"
  | "container.sync"
  | "container.refresh"
  | "container.healthcheck"
  | "container.mount";

/** What may change a container's name or spec. */
export type ContainerChange =
  | { readonly verb: "container.rename"; readonly name: string }
  | {
      readonly verb: "container.update";
      readonly resources?: ResourceChanges | undefined;
      readonly restartPolicy?: RestartPolicy | undefined;
    }
  | {
      readonly verb: "container.batch";
      readonly steps: Step[];
      readonly continueOnError: boolean;
    };

/** What the container's host has been given. */
type Uploaded = { readonly uploadId: OperationId; readonly sizeBytes: number };

export interface ContainerIdentity {
  readonly id: ContainerId;
  readonly name: string;
}

/** What the container's host is asked to do. */
export function actionOf(mutation: Mutation, container: ContainerIdentity): Action {
  const containerId = container.id;
  switch (mutation.verb) {
    case "container.create":
      return { verb: mutation.verb, containerId, name: container.name, spec: mutation.spec };
    case "container.init":
    case "container.pause":
    case "container.unpause":
    case "container.cleanup":
    case "container.sync":
    case "container.refresh":
    case "container.healthcheck":
    case "container.mount":
      return { verb: mutation.verb, containerId };
    case "container.start":
      return { verb: mutation.verb, containerId, recursive: mutation.recursive };
    case "container.stop":
    case "container.restart":
      return { verb: mutation.verb, containerId, timeoutSeconds: mutation.timeoutSeconds };
    case "container.kill":
      return { verb: mutation.verb, containerId, signal: mutation.signal };
    case "container.checkpoint":
    case "container.restore": {
      const { container: _, ...action } = mutation;
      return { ...action, containerId };
    }
    case "container.remove": {
      const { force, dependents } = mutation;
      return { verb: mutation.verb, containerId, force, dependents };
    }
    case "container.rename":
      return { verb: mutation.verb, containerId, name: mutation.name };
    case "container.update": {
      const { resources, restartPolicy } = mutation;
      return { verb: mutation.verb, containerId, resources, restartPolicy };
    }
    case "container.batch": {
      const { steps, continueOnError } = mutation;
      return { verb: mutation.verb, containerId, steps, continueOnError };
    }
    case "container.unmount":
      return { verb: mutation.verb, containerId, force: mutation.force };
    case "container.copy": {
      const { path, uploadId, sizeBytes } = mutation;
      return { verb: mutation.verb, containerId, path, uploadId, sizeBytes };
    }
    case "artifact.add": {
      const { name, uploadId, sizeBytes } = mutation;
      return { verb: mutation.verb, containerId, name, uploadId, sizeBytes };
    }
    case "artifact.remove":
      return { verb: mutation.verb, containerId, name: mutation.name };
    case "exec.start":
      return { verb: mutation.verb, containerId, execId: mutation.execId, spec: mutation.spec };
    case "exec.kill":
      return { verb: mutation.verb, containerId, execId: mutation.execId, signal: mutation.signal };
    case "exec.remove":
      return { verb: mutation.verb, containerId, execId: mutation.execId, force: mutation.force };
    default:
      return assertNever(mutation);
  }
}
