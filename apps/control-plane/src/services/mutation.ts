import { assertNever } from "@podfleet/base/invariant";
import type { Action } from "@podfleet/model/action";
import type { ContainerId } from "@podfleet/model/ids";
import type { Mutation } from "@podfleet/model/mutation";

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
