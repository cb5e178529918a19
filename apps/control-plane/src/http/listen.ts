import type { AddressInfo } from "node:net";

import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";
import type { FastifyInstance } from "fastify";

/**
 * @returns the URL
 * @throws PodfleetError UNAVAILABLE when the address is taken
 */
export async function listen(
  server: FastifyInstance,
  address: { readonly host: string; readonly port: number },
): Promise<string> {
  try {
    await server.listen(address);
  } catch (error) {
    const { host, port } = address;
    const reason = hasErrno(error, "EADDRINUSE") ? "the address is in use" : String(error);
    throw new PodfleetError("UNAVAILABLE", `Cannot listen at "${host}:${port}": ${reason}`, {
      cause: error,
    });
  }
  return urlOf(server);
}

function urlOf(server: FastifyInstance): string {
  const { family, address, port } = server.server.address() as AddressInfo;
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
