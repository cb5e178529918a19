import { setTimeout } from "node:timers/promises";

/** One way to run containers, measured against the others in turns. */
export interface Contender {
  readonly name: string;
  /** Resolves with the container's id once its command runs. */
  createAndStart(): Promise<string>;
  /** Runs a further command in the container; resolves once it has ended with 0. */
  exec(id: string, command: readonly string[]): Promise<void>;
  /** Sends SIGKILL at once; resolves once the command has ended. */
  stop(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const settleMs = 60;

/** Waits before a contender's turn, so that what the one before still does after its reply is not measured. */
export async function takeTurn(): Promise<void> {
  await setTimeout(settleMs);
}

/** The command of all containers. As pid 1 it ignores all signals but SIGKILL; a shell that handled one would race with `stop`. */
export const command = ["sleep", "3600"];
