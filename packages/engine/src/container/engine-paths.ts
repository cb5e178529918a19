import { join } from "node:path";

import type { ContainerId } from "@podfleet/model/ids";

/** Where an engine keeps what: below `dataRoot` what survives a reboot, below `runRoot` what does not. */
export class EnginePaths {
  readonly database: string;
  readonly images: string;
  readonly containers: string;
  readonly journals: string;
  readonly exits: string;
  readonly runtimeRoot: string;
  readonly #bundles: string;

  constructor(roots: { readonly dataRoot: string; readonly runRoot: string }) {
    this.database = join(roots.dataRoot, "engine.sqlite");
    this.images = join(roots.dataRoot, "images");
    this.containers = join(roots.dataRoot, "containers");
    this.journals = join(roots.dataRoot, "journals");
    this.exits = join(roots.runRoot, "exits");
    this.runtimeRoot = join(roots.runRoot, "runtime");
    this.#bundles = join(roots.runRoot, "bundles");
  }

  bundle(id: ContainerId): string {
    return join(this.#bundles, id);
  }

  /** The container's last checkpoint; it goes with the rest of the container's storage. */
  checkpoint(id: ContainerId): string {
    return join(this.containers, id, "checkpoint");
  }

  journal(id: ContainerId): string {
    return join(this.journals, id);
  }
}
