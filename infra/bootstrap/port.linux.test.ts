import { once } from "node:events";
import { createServer } from "node:net";

import { afterEach, beforeEach, expect, test } from "vitest";

import { refuseTakenPort } from "./port.ts";

const server = createServer();

beforeEach(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(() => server.close());

test("a port that is taken is refused with the process that has it", async () => {
  const port = portOf(server);
  const refusal = refuseTakenPort("control plane", `127.0.0.1:${port}`, "or choose another");
  await expect(refusal).rejects.toThrow(
    `The control plane needs 127.0.0.1:${port}, which process ${process.pid}`,
  );
});

test("the same port of another address is free", async () => {
  const check = refuseTakenPort("NATS server", `10.89.77.1:${portOf(server)}`, "or choose another");
  await expect(check).resolves.toBeUndefined();
});

function portOf(listening: typeof server): number {
  const address = listening.address();
  return typeof address === "object" && address ? address.port : 0;
}
