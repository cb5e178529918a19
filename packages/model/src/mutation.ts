/** What a caller asks to be done to one container, before the container is looked up. */
import type { Step } from "./action.ts";
import type { CheckpointOptions, RestoreOptions } from "./container/checkpoint.ts";
import type { RestartPolicy } from "./container/restart-policy.ts";
import type { ContainerSpec } from "./container/spec.ts";
import type { ExecSpec } from "./exec.ts";
import type { ExecId, OperationId } from "./ids.ts";
import type { ResourceChanges } from "./resources.ts";

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
