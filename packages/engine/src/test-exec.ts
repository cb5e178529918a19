/** Exec sessions in the containers of an engine under test. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { parseJournal } from "@podfleet/base/journal-record";
import {
  type ExecSession,
  type execSpecSchema,
  execSpecSchema as schema,
} from "@podfleet/model/exec";
import { type ContainerId, type ExecId, execIdSchema } from "@podfleet/model/ids";
import type { z } from "zod";

import { type EngineUnderTest, failureOf, type Verb } from "./test-engine.ts";

export type ExecInput = Partial<z.input<typeof execSpecSchema>>;

export interface Ended {
  readonly session: ExecSession;
  readonly stdout: string;
  readonly stderr: string;
}

export function newExecId(): ExecId {
  return execIdSchema.parse(randomBytes(32).toString("hex"));
}

/** Runs a shell script unless `spec` names a command. */
export function startVerb(execId: ExecId, script: string, spec: ExecInput = {}): Verb {
  const full = schema.parse({ command: ["sh", "-c", script], ...spec });
  return { verb: "exec.start", execId, spec: full };
}

export async function start(
  under: EngineUnderTest,
  containerId: ContainerId,
  ...[script, spec]: [script: string, spec?: ExecInput]
): Promise<ExecSession> {
  const execId = newExecId();
  const outcome = await under.perform(containerId, startVerb(execId, script, spec));
  if (outcome.status === "failed")
    throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
  if (!outcome.exec) throw new Error("The outcome has no session");
  return outcome.exec;
}

/** Returns the error of a start that must fail. */
export async function startFailure(
  under: EngineUnderTest,
  containerId: ContainerId,
  ...[script, spec]: [script: string, spec?: ExecInput]
) {
  return failureOf(await under.perform(containerId, startVerb(newExecId(), script, spec)));
}

export async function ended(under: EngineUnderTest, session: ExecSession): Promise<Ended> {
  const { id: execId, containerId } = session;
  const last = await under.engine.execs.wait({ containerId, execId, timeoutMs: 20_000 });
  if (last.state !== "exited") throw new Error(`Exec session ${execId} is "${last.state}"`);
  const [stdout, stderr] = await Promise.all([
    output(under, execId, "stdout"),
    output(under, execId, "stderr"),
  ]);
  return { session: last, stdout, stderr };
}

export async function exec(
  under: EngineUnderTest,
  containerId: ContainerId,
  ...[script, spec]: [script: string, spec?: ExecInput]
): Promise<Ended> {
  return await ended(under, await start(under, containerId, script, spec));
}

export async function output(
  { options }: EngineUnderTest,
  execId: ExecId,
  stream: "stdout" | "stderr" = "stdout",
): Promise<string> {
  const journal = await readFile(join(options.dataRoot, "execs", execId, "journal"));
  return [...parseJournal(journal)]
    .filter((record) => record.stream === stream)
    .map(({ payload, endsLine }) => Buffer.from(payload).toString() + (endsLine ? "\n" : ""))
    .join("");
}
