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
  return urlOf(addressOf(server));
}

/** Where this process reaches a server of its own that listens. */
export function loopbackUrl(server: FastifyInstance): string {
  const { address, ...rest } = addressOf(server);
  if (address === "0.0.0.0") return urlOf({ address: "127.0.0.1", ...rest });
  return urlOf({ address: address === "::" ? "::1" : address, ...rest });
}

function addressOf(server: FastifyInstance): AddressInfo {
  return server.server.address() as AddressInfo;
}

function urlOf({ family, address, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
