/** Exec sessions: commands in running containers, each started exactly once. */
import type { ExecSession, execSpecSchema } from "@podfleet/model/exec";
import type { ExecId, OperationId } from "@podfleet/model/ids";
import { recordsOf } from "@podfleet/protocol/log/log-records";
import type { OutageOptions } from "@podfleet/protocol/session/outage";
import type { z } from "zod";

import type { Api } from "./api.ts";
import type { Connection } from "./connection.ts";
import { type LogRecord, subscribeToChunks } from "./logs.ts";
import { persist, retrying } from "./retrying.ts";
import { openSession } from "./session.ts";
import type { SessionOptions, SessionRequest, SessionStream } from "./session.ts";

export interface ExecRequest {
  /** Name, id or id prefix of a running container. */
  readonly container: string;
  readonly spec: z.input<typeof execSpecSchema>;
  /** Makes a repeated call start the command once; generated when absent. */
  readonly operationId?: OperationId;
}

/** An exec session whose command was started. */
export interface ExecRun {
  readonly id: ExecId;
  /** Id of the container. */
  readonly container: string;
  /** Yields the output from byte 0 to the end of the session, as chunks of records. May be read more than once. */
  output(options?: OutageOptions): AsyncGenerator<LogRecord[], void>;
  /** Opens a session with the command. Without a `spec` it has the output from byte 0 and no input. */
  attach(
    spec?: Omit<NonNullable<SessionRequest["spec"]>, "execId" | "run">,
    options?: SessionOptions,
  ): Promise<SessionStream>;
  /** Yields the output on a descriptor that `preserveFds` opened (from 3 on) to the end of the session. */
  written(descriptor: number, options?: OutageOptions): AsyncGenerator<Uint8Array, void>;
  /** Resolves when the session has ended. `exitCode` is absent when it is unknown (`exitUnknown`) or the time limit was reached (`timedOut`). */
  wait(options?: OutageOptions): Promise<ExecSession>;
}

/**
 * Starts a command. Resolves when it runs.
 * @throws PodfleetError CANNOT_INVOKE unless the container runs, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, INVALID_INPUT
 */
export async function startExec(
  { api, connection }: { readonly api: Api; readonly connection: Connection },
  { container, spec, operationId: given }: ExecRequest,
  options: OutageOptions = {},
): Promise<ExecRun> {
  const started = await retrying(
    async (made) => await api.exec.start.mutate({ operationId: given ?? made, container, spec }),
    options,
  );
  const session = { container: started.container.id, exec: started.exec.id };
  return {
    id: session.exec,
    container: session.container,
    output: (outage) => followOutput(connection, session, outage),
    attach: async (spec, outage) =>
      await openSession(
        { api, connection },
        { container: session.container, spec: { from: "start", ...spec, execId: session.exec } },
        outage,
      ),
    written: (descriptor, outage) =>
      followDescriptor(connection, { ...session, descriptor }, outage),
    wait: async (outage) =>
      await persist(async () => await api.exec.wait.mutate(session, signalOf(outage)), {
        ...outage,
        whenDown: "retry",
      }),
  };
}

interface SessionReference {
  readonly container: string;
  readonly exec: ExecId;
}

async function* followOutput(
  connection: Connection,
  session: SessionReference,
  options?: OutageOptions,
): AsyncGenerator<LogRecord[], void> {
  const request = { path: "exec.output", input: { ...session, follow: true } };
  for await (const { bytes } of subscribeToChunks(connection, request, options)) {
    yield recordsOf(bytes);
  }
}

async function* followDescriptor(
  connection: Connection,
  session: SessionReference & { readonly descriptor: number },
  options?: OutageOptions,
): AsyncGenerator<Uint8Array, void> {
  const request = { path: "exec.output", input: { ...session, follow: true } };
  for await (const { bytes } of subscribeToChunks(connection, request, options)) yield bytes;
}

function signalOf(options: OutageOptions | undefined): { signal?: AbortSignal } {
  return options?.signal ? { signal: options.signal } : {};
}
