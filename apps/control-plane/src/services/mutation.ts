/** What a caller asks to be done to one container, before the container is looked up. */
import { assertNever } from "@podfleet/base/invariant";
import type { Action } from "@podfleet/model/action";
import type { CheckpointOptions, RestoreOptions } from "@podfleet/model/container/checkpoint";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { ExecSpec } from "@podfleet/model/exec";
import type { ContainerId, ExecId, OperationId } from "@podfleet/model/ids";

export type Mutation =
  | { readonly verb: "container.create"; readonly spec: ContainerSpec }
  | ContainerMutation;

/** `container` is a name, an id or the prefix of one. */
export type ContainerMutation = { readonly container: string } & (
  | { readonly verb: "container.init" | "container.sync" }
  | { readonly verb: "container.start"; readonly recursive: boolean }
  | { readonly verb: "container.stop"; readonly timeoutSeconds?: number | undefined }
  | { readonly verb: "container.kill"; readonly signal: number }
  | ({ readonly verb: "container.checkpoint" } & CheckpointOptions)
  | ({ readonly verb: "container.restore" } & RestoreOptions)
  | { readonly verb: "container.remove"; readonly force: boolean; readonly dependents: boolean }
  | { readonly verb: "container.mount" }
  | { readonly verb: "container.unmount"; readonly force: boolean }
  | ({ readonly verb: "container.copy"; readonly path: string } & Uploaded)
  | ({ readonly verb: "artifact.add"; readonly name: string } & Uploaded)
  | { readonly verb: "artifact.remove"; readonly name: string }
  | { readonly verb: "exec.start"; readonly execId: ExecId; readonly spec: ExecSpec }
  | { readonly verb: "exec.kill"; readonly execId: ExecId; readonly signal: number }
  | { readonly verb: "exec.remove"; readonly execId: ExecId; readonly force: boolean }
);

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
    case "container.sync":
      return { verb: mutation.verb, containerId };
    case "container.start":
      return { verb: mutation.verb, containerId, recursive: mutation.recursive };
    case "container.stop":
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
    case "container.mount":
      return { verb: mutation.verb, containerId };
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
