import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

import { hasErrno } from "@podfleet/base/errno";

/** A range below Linux's ephemeral ports: an outgoing connection could take one of those while the port's server restarts. */
const portMin = 15_000;
const portMax = 32_000;
const attemptsMax = 100;

/** Finds a TCP port that nothing listens on at `host` at this moment. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const port = randomInt(portMin, portMax);
    if (await isFree(host, port)) return port;
  }
  throw new Error(`None of ${attemptsMax} ports was free`);
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer().listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    if (hasErrno(error, "EADDRINUSE")) return false;
    throw error;
  }
  server.close();
  await once(server, "close");
  return true;
}
