/** Requests that upgrade from HTTP to a stream. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

import { PodfleetError } from "@podfleet/model/errors";

import { parseApiVersion } from "./api-version.ts";

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** The bytes that arrived after the request's head. */
  readonly head: Buffer;
}

/** A handler of upgrade requests for this protocol and path. It always sends a response. */
export interface UpgradeRoute {
  readonly protocol: "tcp" | "websocket";
  readonly method: "GET" | "POST";
  /** A pattern of the whole path, without the query. */
  readonly path: RegExp;
  readonly take: (upgrade: Upgrade) => Promise<void>;
}

export interface UpgradeTarget {
  /** The reference to the container or exec session in the path. */
  readonly reference: string;
  readonly version: string;
  readonly query: Readonly<Record<string, string>>;
}

/** A pattern of the path, with an optional prefix `/v1.NN`. */
export function upgradePath(kind: "containers" | "exec", verb: string): RegExp {
  return new RegExp(`^(?:/v(?<version>\\d+\\.\\d+))?/${kind}/(?<reference>[^/]+)/${verb}$`);
}

/** @throws PodfleetError INVALID_INPUT when the path is malformed or the version is not supported */
export function upgradeTarget({ url = "" }: IncomingMessage, path: RegExp): UpgradeTarget {
  const [pathname = "", search = ""] = url.split("?", 2);
  const { version, reference = "" } = path.exec(pathname)?.groups ?? {};
  const query = Object.fromEntries([...new URLSearchParams(search)].toReversed());
  return { reference: decode(reference), version: parseApiVersion(version), query };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new PodfleetError("INVALID_INPUT", `Cannot read the path: ${JSON.stringify(text)}`, {
      cause: error,
    });
  }
}
