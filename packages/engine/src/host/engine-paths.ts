import { join } from "node:path";

import type { ContainerId, ExecId } from "@podfleet/model/ids";

/** Where an engine keeps what: below `dataRoot` what survives a reboot, below `runRoot` what does not. */
export class EnginePaths {
  readonly database: string;
  readonly images: string;
  readonly containers: string;
  readonly journals: string;
  readonly exits: string;
  readonly runtimeRoot: string;
  /** The root of the mount namespaces in which tar runs (storage/rootfs/isolated-tar). */
  readonly tarRoot: string;
  readonly execs: string;
  /** Where healthchecks run. */
  readonly health: string;
  /** Below it are the bundles of containers. */
  readonly bundles: string;
  /** Below it are those of exec sessions. */
  readonly execBundles: string;

  constructor(roots: { readonly dataRoot: string; readonly runRoot: string }) {
    this.database = join(roots.dataRoot, "engine.sqlite");
    this.images = join(roots.dataRoot, "images");
    this.containers = join(roots.dataRoot, "containers");
    this.journals = join(roots.dataRoot, "journals");
    this.exits = join(roots.runRoot, "exits");
    this.runtimeRoot = join(roots.runRoot, "runtime");
    this.tarRoot = join(roots.runRoot, "tar");
    this.execs = join(roots.dataRoot, "execs");
    this.health = join(roots.runRoot, "health");
    this.bundles = join(roots.runRoot, "bundles");
    this.execBundles = join(roots.runRoot, "execs");
  }

  bundle(id: ContainerId): string {
    return join(this.bundles, id);
  }

  /** The container's last checkpoint; it goes with the rest of the container's storage. */
  checkpoint(id: ContainerId): string {
    return join(this.containers, id, "checkpoint");
  }

  /** Where the network namespace of a restored container is held. */
  networkNamespace(id: ContainerId): string {
    return join(this.bundle(id), "netns");
  }

  /** The container's artifacts; they go with the rest of its storage. */
  artifacts(id: ContainerId): string {
    return join(this.containers, id, "artifacts");
  }

  journal(id: string): string {
    return join(this.journals, id);
  }

  /** What is kept of an exec session when it has ended. */
  exec(id: ExecId): string {
    return join(this.execs, id);
  }

  execJournal(id: string): string {
    return join(this.execs, id, "journal");
  }

  /** What the session's command has written to descriptor `descriptor`, one of those beside the three standard ones. */
  execDescriptor(id: ExecId, descriptor: number): string {
    return join(this.exec(id), `fd-${descriptor}`);
  }

  /** What an exec session needs while it runs. */
  execBundle(id: ExecId): string {
    return join(this.execBundles, id);
  }

  execExits(id: ExecId): string {
    return join(this.execBundle(id), "exit");
  }

  /** The file that says how the session ended. */
  execExit(id: ExecId, containerId: ContainerId): string {
    return join(this.execExits(id), containerId);
  }
}
