/** What a command works with: the outputs, the settings, and the control plane once it is needed. */
import { createClient } from "@podfleet/client/client";
import type { Client } from "@podfleet/client/client";
import { retrying } from "@podfleet/client/retrying";
import type { OperationId } from "@podfleet/model/ids";
import type { CallerTelemetry } from "@podfleet/telemetry/caller-telemetry";

import { getContext } from "./config.ts";
import type { Config } from "./config.ts";
import type { Output } from "./output/terminal.ts";
import { version } from "./version.ts";

export class Shell {
  readonly config: Config;
  readonly stdout: Output;
  readonly stderr: Output;
  /** What the process ends with. */
  exitCode = 0;
  /** Show everything known about an error. */
  debug = false;
  /** The trace that the present command began; undefined while it is not recorded. */
  traceId: string | undefined;
  #client: Promise<Client> | undefined;
  #telemetry: CallerTelemetry | undefined;

  constructor(parts: { config: Config; stdout: Output; stderr: Output }) {
    this.config = parts.config;
    this.stdout = parts.stdout;
    this.stderr = parts.stderr;
  }

  /**
   * The control plane of the context, traced. Nothing is sent to it yet.
   * @throws PodfleetError INVALID_INPUT when there is no context
   */
  async client(): Promise<Client> {
    this.#client ??= this.#connect();
    return await this.#client;
  }

  /** Runs a mutation exactly once, across a restart of the control plane; one that is not there at all fails at once. */
  async mutate<T>(mutation: (client: Client, operationId: OperationId) => Promise<T>): Promise<T> {
    const client = await this.client();
    return await retrying(async (operationId) => await mutation(client, operationId), {
      whenDown: "fail",
    });
  }

  /** Delivers what is left to deliver; bounded. */
  async close(): Promise<void> {
    await this.#telemetry?.flush();
  }

  async #connect(): Promise<Client> {
    const context = await getContext(this.config);
    const client = createClient(context);
    // Loaded here because commands that stay local need no tracing and should start as fast as they can.
    const { startCallerTelemetry } = await import("@podfleet/telemetry/caller-telemetry");
    const service = { serviceName: "podfleet-cli", serviceVersion: version };
    this.#telemetry = startCallerTelemetry({ ...service, url: client.url, token: context.token });
    return client;
  }
}
