import type { FastifyPluginCallback } from "fastify";

import { apiVersion, apiVersionMin } from "../http/api-version.ts";
import { type CallerOptions, callerOf } from "../http/call.ts";
import { fleetInfo } from "./fleet-info.ts";

export interface SystemOptions extends CallerOptions {
  /** The version of podfleet. */
  readonly version: string;
}

export function systemRoutes(options: SystemOptions): FastifyPluginCallback {
  return (server, _options, done) => {
    // Clients ask with HEAD first.
    server.get("/_ping", async (request, reply) => {
      await (await callerOf(options, request.headers)).api.system.info();
      return await reply
        .headers({ "cache-control": "no-cache, no-store, must-revalidate", pragma: "no-cache" })
        .type("text/plain; charset=utf-8")
        .send("OK");
    });

    server.get("/version", async (request) => {
      const { version } = await (await callerOf(options, request.headers)).api.system.info();
      return {
        Platform: { Name: "podfleet" },
        Components: [
          {
            Name: "podfleet",
            Version: version,
            Details: { ApiVersion: apiVersion, MinAPIVersion: apiVersionMin, Os: "linux" },
          },
        ],
        Version: version,
        ApiVersion: apiVersion,
        MinAPIVersion: apiVersionMin,
        GitCommit: "",
        GoVersion: "",
        Os: "linux",
        Arch: architecture(process.arch),
        KernelVersion: "",
      };
    });

    server.get("/info", async (request) => {
      const { api } = await callerOf(options, request.headers);
      const [{ version }, hosts, containers, images] = await Promise.all([
        api.system.info(),
        api.hosts.list(),
        api.containers.list({ all: true }),
        api.images.list(),
      ]);
      return fleetInfo({ version, hosts, containers, images });
    });
    done();
  };
}

/** Go's name of the architecture. */
export function architecture(name: string): string {
  return name === "x64" ? "amd64" : name;
}
