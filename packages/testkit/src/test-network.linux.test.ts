import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import { createTestNetwork, type TestHostNetwork } from "./test-network.ts";
import { waitFor } from "./wait-for.ts";

const run = promisify(execFile);

/** Whether the address can be reached: nothing listens on the port, so a reachable address refuses the connection. */
async function reaches(host: TestHostNetwork, address: string): Promise<boolean> {
  const dial = ["timeout", "1", "bash", "-c", `exec 3<>/dev/tcp/${address}/9`];
  const dialled = run("nsenter", [`--net=${host.namespacePath}`, "--", ...dial]);
  const printed = await dialled.catch(({ stderr }: { stderr: string }) => ({ stderr }));
  return printed.stderr.includes("Connection refused");
}

test("hosts reach the test and each other until their link is cut", async () => {
  await using network = await createTestNetwork("7e57");
  const left = await network.addHost();
  const right = await network.addHost();
  expect(await reaches(left, network.address)).toBe(true);
  expect(await reaches(left, right.address)).toBe(true);
  await left.cut();
  expect(await reaches(left, network.address)).toBe(false);
  expect(await reaches(right, network.address)).toBe(true);
  await left.join();
  // The kernel may take a second to ask for the neighbour's address again.
  await waitFor(async () => await reaches(left, network.address), { what: "the host to be back" });
});

test("a host that is throttled sends slowly", async () => {
  await using network = await createTestNetwork("7e58");
  const host = await network.addHost();
  const received = Promise.withResolvers<number>();
  const server = createServer((socket) => {
    const beganMs = performance.now();
    socket.resume().on("end", () => received.resolve(performance.now() - beganMs));
  });
  server.listen(0, network.address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await host.throttle({ kilobits: 800, queueBytes: 20_000 });
  const send = `head -c 100000 /dev/zero > /dev/tcp/${network.address}/${port}`;
  await run("nsenter", [`--net=${host.namespacePath}`, "--", "bash", "-c", send]);
  expect(await received.promise).toBeGreaterThan(500);
  await host.unthrottle();
  server.close();
});
