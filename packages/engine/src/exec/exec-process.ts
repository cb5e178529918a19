import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { ExecSpec } from "@podfleet/model/exec";
import type { ContainerId } from "@podfleet/model/ids";
import { execProcessFile } from "@podfleet/oci/monitor/exec-monitor";
import { resolveUser } from "@podfleet/oci/rootfs/user";
import type { HostLimits } from "@podfleet/oci/spec/host-limits";
import { serializeRuntimeSpec } from "@podfleet/oci/spec/runtime-spec";
import { execProcess } from "@podfleet/oci/spec/spec";
import type { ImageStore } from "@podfleet/storage/image/image-store";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import type { StateStore } from "../state/state-store.ts";

/** The sources of the settings that a command inherits from its container. */
export interface ExecProcessSources {
  readonly store: Pick<StateStore, "get">;
  readonly images: Pick<ImageStore, "config">;
  readonly storage: Pick<ContainerStorage, "rootfsPath">;
  readonly hostLimits: HostLimits;
}

export interface ExecProcessFile {
  readonly containerId: ContainerId;
  readonly spec: ExecSpec;
  /** The session's bundle, which the file is written to. */
  readonly bundle: string;
}

/** Writes the OCI runtime's description of the command: what to run, as which user. */
export async function writeExecProcess(
  sources: ExecProcessSources,
  { containerId: id, spec: exec, bundle }: ExecProcessFile,
): Promise<void> {
  const { snapshot, spec } = sources.store.get(id);
  const image = sources.images.config(snapshot.imageId);
  const user = await resolveUser(sources.storage.rootfsPath(id), {
    user: exec.user ?? spec.user ?? image.user,
    groups: exec.user === undefined ? spec.groups : [],
  });
  const process = execProcess({ id, spec, image, user, host: sources.hostLimits }, exec);
  await writeFile(join(bundle, execProcessFile), serializeRuntimeSpec(process), { mode: 0o600 });
}
