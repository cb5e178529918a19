import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import type { Fleet } from "../fleet/fleet.ts";

/** In MiB. */
export interface Memory {
  readonly agent: number;
  readonly controlPlane: number;
}

const intervalMs = 50;

/** Samples the resident memory of a fleet's first agent and first replica. */
export class MemoryWatch implements AsyncDisposable {
  readonly #pids: readonly [agent: number, controlPlane: number];
  readonly #base: Memory;
  readonly #stopping = new AbortController();
  readonly #watching: Promise<void>;
  #peak: Memory;

  private constructor(pids: readonly [number, number], base: Memory) {
    this.#pids = pids;
    this.#base = base;
    this.#peak = base;
    this.#watching = this.#watch();
  }

  /** Sets the base of growth to the present values. */
  static async start({ hosts, replicas }: Fleet): Promise<MemoryWatch> {
    const [host] = hosts;
    const [replica] = replicas;
    if (!host || !replica) throw new Error("The fleet has no host or no replica");
    const pids = [host.agent.pid, replica.process.pid] as const;
    return new MemoryWatch(pids, await memoryOf(pids));
  }

  /** The maximum growth over the base since the last call. */
  takeGrowth(): Memory {
    const growth = {
      agent: this.#peak.agent - this.#base.agent,
      controlPlane: this.#peak.controlPlane - this.#base.controlPlane,
    };
    this.#peak = this.#base;
    return growth;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const { agent, controlPlane } = await memoryOf(this.#pids);
      this.#peak = {
        agent: Math.max(agent, this.#peak.agent),
        controlPlane: Math.max(controlPlane, this.#peak.controlPlane),
      };
      await sleep(intervalMs);
    }
  }
}

async function memoryOf([agent, controlPlane]: readonly [number, number]): Promise<Memory> {
  return {
    agent: await residentMebibytes(agent),
    controlPlane: await residentMebibytes(controlPlane),
  };
}

async function residentMebibytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  return Number(kibibytes) / 1024;
}
