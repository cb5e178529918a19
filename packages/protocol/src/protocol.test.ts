import { createHash } from "node:crypto";

import { expect, test } from "vitest";
import { z } from "zod";

import { agentMessageSchemas, hostBulkMessages, hostMessages } from "./messages.ts";
import { protocolVersion } from "./protocol-version.ts";
import { agentMessages, hostRequests, natsRoles } from "./subject.ts";

/** Changes with any subject or message. When it does: raise `protocolVersion` if an older reader would misread the change, then record the new hash here. */
const recorded = { version: 1, hash: "7b05e3c779cbd106" };

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
  const shape = JSON.stringify({ hostRequests, agentMessages, natsRoles, schemas });
  const hash = createHash("sha256").update(shape).digest("hex").slice(0, 16);
  expect({ version: protocolVersion, hash }).toEqual(recorded);
});
