import type { ContainerId } from "@podfleet/model/ids";

/** Which root filesystems something is being read from outside their containers' locks; they stay mounted meanwhile. */
export class RootfsUses {
  readonly #counts = new Map<ContainerId, number>();

  has(id: ContainerId): boolean {
    return this.#counts.has(id);
  }

  add(id: ContainerId): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  drop(id: ContainerId): void {
    const count = this.#counts.get(id) ?? 0;
    if (count > 1) this.#counts.set(id, count - 1);
    else this.#counts.delete(id);
  }
}
