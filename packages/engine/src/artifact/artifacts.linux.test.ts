import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";

import { actionSchema } from "@podfleet/model/action";
import { newContainerId, newOperationId } from "@podfleet/model/ids";
import { afterAll, beforeAll, expect, test } from "vitest";

import { receive, send } from "../rootfs/test-transfer.ts";
import { EngineUnderTest, failureOf } from "../test-engine.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

test("F1: an artifact's bytes are kept exactly, under its name, and go with the container", async () => {
  const id = await under.create();
  const bytes = randomBytes(300_000);
  const add = { verb: "artifact.add", name: "report.bin" } as const;
  await send(under, id, { ...add, bytes: Buffer.from("older") });
  await send(under, id, { ...add, bytes });
  await send(under, id, { ...add, name: "empty", bytes: Buffer.alloc(0) });
  const get = { kind: "artifact", containerId: id, name: "report.bin" } as const;
  expect((await receive(under, get)).equals(bytes)).toBe(true);
  expect(await receive(under, { ...get, name: "empty" })).toHaveLength(0);
  expect(await under.engine.artifacts(id)).toMatchObject([
    { name: "empty", sizeBytes: 0 },
    { name: "report.bin", sizeBytes: 300_000 },
  ]);
  const path = join(under.options.dataRoot, "containers", id, "artifacts/report.bin");
  expect((await stat(path)).mode & 0o7777).toBe(0o740);
  await under.do(id, { verb: "artifact.remove", name: "empty" });
  expect((await under.engine.artifacts(id)).map(({ name }) => name)).toEqual(["report.bin"]);
  await under.remove(id);
  expect(existsSync(path)).toBe(false);
});

test("F1: what is not there is not found", async () => {
  const id = await under.create();
  const removal = await under.perform(id, { verb: "artifact.remove", name: "none" });
  expect(failureOf(removal).code).toBe("ARTIFACT_NOT_FOUND");
  const get = { kind: "artifact", containerId: id, name: "none" } as const;
  await expect(receive(under, get)).rejects.toMatchObject({ code: "ARTIFACT_NOT_FOUND" });
  await expect(under.engine.artifacts(newContainerId())).rejects.toMatchObject({
    code: "CONTAINER_NOT_FOUND",
  });
});

test.each(["", ".", "..", "a/b", "../up", "a..b", "nul\0"])(
  "F1: the name %j is refused",
  (name) => {
    const upload = { uploadId: newOperationId(), sizeBytes: 1 };
    const add = { verb: "artifact.add", containerId: newContainerId(), name, ...upload };
    expect(actionSchema.safeParse(add).success).toBe(false);
  },
);
