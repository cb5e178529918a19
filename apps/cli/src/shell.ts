/** Environment of a command: outputs, settings, and the client of the control plane. */
import { createClient } from "@podfleet/client/client";
import type { Client } from "@podfleet/client/client";
import { retrying } from "@podfleet/client/retrying";
import type { OperationId } from "@podfleet/model/ids";
import type { CallerTelemetry } from "@podfleet/telemetry/caller-telemetry";

import { getContext } from "./config.ts";
import type { Config } from "./config.ts";
import type { Output } from "./output/output.ts";
import { version } from "./version.ts";

export class Shell {
  readonly config: Config;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Exit code of the process. */
  exitCode = 0;
  /** `--debug`: show an error's code, details and trace. */
  debug = false;
  /** Trace of the command; undefined when it is not recorded. */
  traceId: string | undefined;
  #client: Promise<Client> | undefined;
  #telemetry: CallerTelemetry | undefined;

  constructor(parts: { config: Config; stdout: Output; stderr: Output }) {
    this.config = parts.config;
    this.stdout = parts.stdout;
    this.stderr = parts.stderr;
  }

  /**
   * Sets up the client and tracing on first use. Does not connect yet.
   * @throws PodfleetError INVALID_INPUT without a context
   */
  async client(): Promise<Client> {
    this.#client ??= this.#connect();
    return await this.#client;
  }

  /** Runs a mutation exactly once, even across a restart of the control plane. Fails at once when it cannot be reached. */
  async mutate<T>(mutation: (client: Client, operationId: OperationId) => Promise<T>): Promise<T> {
    const client = await this.client();
    return await retrying(async (operationId) => await mutation(client, operationId), {
      whenDown: "fail",
    });
  }

  /** Sends the remaining spans, within a time limit. */
  async close(): Promise<void> {
    await this.#telemetry?.flush();
  }

  async #connect(): Promise<Client> {
    const context = await getContext(this.config);
    const client = createClient(context);
    // Loaded on demand: local commands need no tracing and start faster without it.
    const { startCallerTelemetry } = await import("@podfleet/telemetry/caller-telemetry");
    const service = { serviceName: "podfleet-cli", serviceVersion: version };
    this.#telemetry = startCallerTelemetry({ ...service, url: client.url, token: context.token });
    return client;
  }
}
