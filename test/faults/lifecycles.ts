/** Lifecycles of containers that survive failures of their host's agent. */
import type { ApiInputs } from "@podfleet/client/api";
import type { Client } from "@podfleet/client/client";
import { persist, retrying } from "@podfleet/client/retrying";
import { type ErrorCode, hasCode } from "@podfleet/model/errors";

import { outputOf } from "../fleet/fleet-container.ts";

type Wish = Partial<ApiInputs["containers"]["create"]["spec"]>;
type Steps = ApiInputs["containers"]["batch"]["steps"];

const outage = { whenHostSilent: "retry", outageMaxMs: 120_000 } as const;

/** The kinds of lifecycle. Each removes its containers, and throws on any wrong result. */
export const lifecycles: Readonly<Record<string, (life: Life) => Promise<void>>> = {
  "a run to its end": async (life) => {
    await life.create({ command: shell("echo ran; exit 7") });
    await life.perform("start");
    expectSame(await life.exit(1), 7);
    expectSame(await life.output(), { stdout: "ran\n", stderr: "" });
    await life.remove();
  },

  "a command in it, and a stop": async (life) => {
    await life.create({ stopTimeoutSeconds: 0 });
    await life.perform("start");
    await life.runCommand("exit 3", 3);
    await life.perform("stop");
    expectSame(await life.exit(1), 137);
    await life.remove();
  },

  "init, start, pause, unpause and kill": async (life) => {
    await life.create({});
    for (const verb of ["init", "start", "pause", "unpause", "kill"] as const) {
      await life.perform(verb);
    }
    expectSame(await life.exit(1), 137);
    await life.remove();
  },

  "a restart, a refresh and a removal by force": async (life) => {
    await life.create({ stopTimeoutSeconds: 0 });
    for (const verb of ["start", "restart", "refresh"] as const) await life.perform(verb);
    expectSame(await life.exit(2), 137);
    await life.remove();
  },

  "a run after which it is removed": async (life) => {
    await life.create({ command: shell("exit 5"), autoRemove: true });
    await life.perform("start");
    expectSame(await life.exit(1, "removed"), 5);
  },

  "runs by a restart policy": async (life) => {
    await life.create({
      command: shell("exit 4"),
      restartPolicy: { name: "on-failure", retriesMax: 2 },
    });
    await life.perform("start");
    expectSame(await life.exit(3), 4);
    await life.remove();
  },

  "a batch": async (life) => {
    await life.create({});
    await life.batch([
      { verb: "container.start" },
      { verb: "exec.start", spec: { command: ["true"] } },
      { verb: "container.update", resources: { pidsLimit: 100 } },
      { verb: "container.stop", timeoutSeconds: 0 },
    ]);
    await life.remove();
  },

  "a healthcheck, a mount and a clean-up": async (life) => {
    const healthcheck = { command: ["true"], intervalMs: 200 };
    await life.create({ healthcheck, stopTimeoutSeconds: 0 });
    for (const verb of ["start", "mount", "stop", "cleanup"] as const) await life.perform(verb);
    expectSame(await life.exit(1), 137);
    await life.remove();
  },
};

function shell(script: string): string[] {
  return ["sh", "-c", script];
}

/** One container of one host. Each step is retried with the same id until its outcome is known. */
export class Life {
  readonly #client: Client;
  readonly #host: string;
  #container = "";

  constructor(client: Client, host: string) {
    this.#client = client;
    this.#host = host;
  }

  async create(wish: Wish): Promise<void> {
    const placement = { host: this.#host };
    const spec = { image: "busybox", command: ["sleep", "600"], placement, ...wish };
    const { container } = await retrying(
      async (operationId) => await this.#api.create.mutate({ operationId, spec }),
      outage,
    );
    this.#container = container.id;
  }

  async perform(
    verb:
      | ("init" | "start" | "stop" | "restart" | "refresh")
      | ("pause" | "unpause" | "kill" | "mount" | "cleanup"),
  ): Promise<void> {
    const container = this.#container;
    await retrying(
      async (operationId) => await this.#api[verb].mutate({ operationId, container }),
      outage,
    );
  }

  async batch(steps: Steps): Promise<void> {
    const container = this.#container;
    const done = await retrying(
      async (operationId) => await this.#api.batch.mutate({ operationId, container, steps }),
      outage,
    );
    const failed = done.steps?.find(({ status }) => status === "failed");
    if (failed?.status !== "failed") return;
    // The exit code of a command whose start was interrupted may be unknown.
    if (!isOneOf(failed.error.code, "INTERRUPTED", "COMMAND_FAILED")) {
      throw new Error(`Step ${failed.verb} failed: ${failed.error.message}`);
    }
  }

  /** Runs a shell script in the container, which ends with `code` unless its start was interrupted. */
  async runCommand(script: string, code: number): Promise<void> {
    const container = this.#container;
    const spec = { command: shell(script) };
    const { exec } = this.#client.api;
    try {
      const started = await retrying(
        async (operationId) => await exec.start.mutate({ operationId, container, spec }),
        outage,
      );
      const session = { container, exec: started.exec.id };
      const ended = await persist(async () => await exec.wait.mutate(session), outage);
      if (!ended.exitUnknown) expectSame(ended.exitCode, code);
    } catch (error) {
      if (!hasCode(error, "INTERRUPTED")) throw error;
    }
  }

  /** Resolves with the exit code of a run. */
  async exit(run: number, condition: "exit" | "removed" = "exit"): Promise<number | undefined> {
    const container = this.#container;
    return (await this.#client.wait({ container, run, condition }, outage)).exitCode;
  }

  async output(): Promise<{ stdout: string; stderr: string }> {
    return await persist(async () => await outputOf(this.#client, this.#container), outage);
  }

  async remove(): Promise<void> {
    const request = { container: this.#container, force: true };
    await retrying(
      async (operationId) => await this.#api.remove.mutate({ operationId, ...request }),
      outage,
    );
  }

  get #api(): Client["api"]["containers"] {
    return this.#client.api.containers;
  }
}

function isOneOf(code: ErrorCode, ...codes: readonly ErrorCode[]): boolean {
  return codes.includes(code);
}

function expectSame(found: unknown, wanted: unknown): void {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`Found ${one}, wanted ${other}`);
}
