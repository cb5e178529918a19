/** One way to run containers, measured against the others in turns. */
export interface Contender {
  readonly name: string;
  /** Resolves with the container's id once its command runs. */
  createAndStart(): Promise<string>;
  /** SIGTERM, which the command ends on; resolves once it has ended. */
  stop(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Ends with 0 as soon as SIGTERM arrives, so that `stop` measures the system and not a grace period. */
export const command = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"];
