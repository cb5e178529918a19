/** A command in the floor's container: `conmon -e` and `runc exec` straight from Node, by the handshake that podfleet's agent uses too. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

import { newOperationId } from "@podfleet/model/ids";

import { conmon, processSpec, runc, timeoutMs, toolPath } from "./floor-tools.ts";

export interface FloorContainer {
  readonly id: string;
  /** The parent of the sessions' folders. */
  readonly root: string;
  readonly runtimeRoot: string;
}

/** Runs `command` to its end. */
export async function execAtFloor(
  container: FloorContainer,
  command: readonly string[],
): Promise<void> {
  const session = newOperationId();
  const bundle = join(container.root, session);
  const exits = join(bundle, "exits");
  await mkdir(exits, { recursive: true });
  const specPath = join(bundle, "process.json");
  await writeFile(specPath, JSON.stringify(processSpec(command)));
  const flags = [
    ["--api-version", "1"],
    ["-c", container.id],
    ["-u", session],
    ["-n", container.id],
    ["-r", runc],
    ["-b", bundle],
    ["-p", join(bundle, "pidfile")],
    ["-l", `k8s-file:${join(bundle, "journal")}`],
    ["--exit-dir", exits],
    ["--socket-dir-path", bundle],
    ["--full-attach", "--exec", "--exec-attach", "--exec-process-spec", specPath],
    ["--runtime-arg", `--root=${container.runtimeRoot}`],
  ].flat();
  const monitor = spawn(conmon, flags, {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe", "pipe"],
    env: {
      PATH: toolPath,
      ...{ _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4", _OCI_ATTACHPIPE: "5" },
    },
    detached: true,
  });
  monitor.unref();
  const [answers, start, attached] = [3, 4, 5].map((descriptor) => monitor.stdio[descriptor]);
  const answer = answersOf(answers as Readable);
  (start as Writable).write("\0");
  await once(attached as Readable, "data", { signal: AbortSignal.timeout(timeoutMs) });
  (start as Writable).end("\0");
  const pid = await answer();
  if (pid < 0) throw new Error("The floor's command was not started");
  const exitCode = await answer();
  if (exitCode !== 0) throw new Error(`The floor's command ended with ${exitCode}`);
  await rm(bundle, { recursive: true });
}

/** conmon says the process id in one line and the exit code in the next. */
function answersOf(pipe: Readable): () => Promise<number> {
  const lines = createInterface({ input: pipe })[Symbol.asyncIterator]();
  return async () => {
    const { value } = await lines.next();
    return (JSON.parse(value ?? '{"data":-1}') as { data: number }).data;
  };
}
