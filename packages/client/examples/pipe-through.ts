/**
 * Runs a command in a running container between this process's standard input and output, as a step of a pipeline:
 *
 *     tar -c photos | node packages/client/examples/pipe-through.ts worker gzip > photos.tar.gz
 *
 * Calls the control plane of `podfleet context show`. No byte is lost or repeated when the control plane, the host's agent or the network
 * fails meanwhile: the session is resumed where it was.
 */
import { once } from "node:events";
import { homedir } from "node:os";
import { Readable } from "node:stream";

import { createClient } from "@podfleet/client/client";
import { contextPath, findContext } from "@podfleet/client/context";

const [container, ...command] = process.argv.slice(2);
const context = await findContext(contextPath({ home: homedir() }));
if (container === undefined || command.length === 0 || context === undefined) {
  process.stderr.write("Usage: pipe-through.ts CONTAINER COMMAND..., with a podfleet context\n");
  process.exit(2);
}
const client = createClient(context);
const exec = await client.exec({ container, spec: { command, stdin: true } });
const session = await exec.attach(
  { input: "exclusive" },
  { onOutage: ({ type }) => process.stderr.write(`The connection is ${type}\n`) },
);
// Safe to ignore: the command ended before its input, and its exit code tells how.
const sending = Readable.toWeb(process.stdin)
  .pipeTo(session.input)
  .catch(() => undefined);
for await (const piece of session.output) {
  if (piece.type === "gap") throw new Error("The command wrote more than its host keeps");
  const stream = process[piece.stream];
  if (!stream.write(piece.bytes)) await once(stream, "drain");
}
const { exitCode = 1 } = await session.exit;
process.stdin.destroy();
await sending;
process.exitCode = exitCode;
