/** Requests that leave HTTP for a stream. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

import { PodfleetError } from "@podfleet/model/errors";

import { parseApiVersion } from "./api-version.ts";

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came after the request's head. */
  readonly head: Buffer;
}

/** Takes over a connection whose request is for this protocol and path. It answers in every case. */
export interface UpgradeRoute {
  readonly protocol: "tcp" | "websocket";
  readonly method: "GET" | "POST";
  /** Of the whole path, without the query. */
  readonly path: RegExp;
  readonly take: (upgrade: Upgrade) => Promise<void>;
}

export interface UpgradeTarget {
  /** The container or the exec session. */
  readonly reference: string;
  readonly version: string;
  readonly query: Readonly<Record<string, string>>;
}

/** With and without `/v1.NN`. */
export function upgradePath(kind: "containers" | "exec", verb: string): RegExp {
  return new RegExp(`^(?:/v(?<version>\\d+\\.\\d+))?/${kind}/(?<reference>[^/]+)/${verb}$`);
}

/** @throws PodfleetError INVALID_INPUT when the path is malformed or the version is not spoken here */
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
