import { createHash } from "node:crypto";

import { expect, test } from "vitest";
import { z } from "zod";

import { agentMessageSchemas, hostBulkMessages, hostMessages } from "./messages.ts";
import { protocolVersion } from "./protocol-version.ts";
import { encodeFrame, type Frame } from "./stream/frame.ts";
import { openedSchema, openRequestSchema } from "./stream/open.ts";
import { agentMessages, hostRequests, natsRoles } from "./subject.ts";

/** Changes with any subject or message. When it does: raise `protocolVersion` if an older reader would misread the change, then record the new hash here. */
const recorded = { version: 1, hash: "fb9083a154c2aa52" };

test("subjects and messages are those of the recorded version", () => {
  const schemas = [hostMessages, hostBulkMessages, agentMessageSchemas].map((group) =>
    Object.entries(group).map(([name, parts]) => [
      name,
      Object.entries(parts).map(([part, schema]) => [
        part,
        z.toJSONSchema(schema as z.ZodType, { io: "input", unrepresentable: "any" }),
      ]),
    ]),
  );
  const stream = [openRequestSchema, openedSchema].map((schema) =>
    z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }),
  );
  const bytes = frames.map((frame) => Buffer.from(encodeFrame(frame)).toString("hex"));
  const parts = { hostRequests, agentMessages, natsRoles, schemas, stream, bytes };
  const shape = JSON.stringify(parts);
  const hash = createHash("sha256").update(shape).digest("hex").slice(0, 16);
  expect({ version: protocolVersion, hash }).toEqual(recorded);
});

const large = 2 ** 40 + 1;
const frames: readonly Frame[] = [
  { type: "error", error: { code: "SESSION_ENDED", message: "" } },
  { type: "output", offset: large, next: large + 1, stream: "stderr", bytes: Buffer.from("x") },
  { type: "gap", from: 1, to: large },
  { type: "exit", offset: large, exit: { exitCode: 3, exitUnknown: false, timedOut: false } },
  { type: "exit", offset: 0, exit: { exitUnknown: true, timedOut: false } },
  { type: "exit", offset: 0, exit: { exitUnknown: false, timedOut: true } },
  { type: "ack", seq: 1, limit: large },
  { type: "beat", offset: 1, seq: large },
  { type: "input", seq: large, bytes: Buffer.from("y") },
  { type: "inputEnd", seq: large },
  { type: "resize", size: { height: 24, width: 258 } },
  { type: "credit", offset: large, window: 65_537 },
  { type: "detach" },
  { type: "lost" },
];
