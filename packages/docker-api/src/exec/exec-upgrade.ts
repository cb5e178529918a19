/** `POST /exec/{id}/start` with an upgrade. */
import { hasCode } from "@podfleet/model/errors";

import { readBody } from "../http/body.ts";
import { callerOf, type StreamingOptions } from "../http/call.ts";
import { type UpgradeRoute, upgradePath, upgradeTarget } from "../http/upgrade-call.ts";
import { streamType } from "../stream/frames.ts";
import { HijackedConnection } from "../stream/hijacked-connection.ts";
import { execStartBody } from "./exec-options.ts";
import { openExec, parseExecId, relayExec, startExec } from "./exec-start.ts";

const path = upgradePath("exec", "start");

export function execUpgrade(options: StreamingOptions): UpgradeRoute {
  return {
    ...{ protocol: "tcp", method: "POST", path },
    take: async ({ request, socket, head }) => {
      const connection = new HijackedConnection({ socket, head, closing: options.closing });
      try {
        const { reference, version } = upgradeTarget(request, path);
        const exec = parseExecId(reference);
        const body = readBody(execStartBody, await connection.body(request.headers));
        const caller = await callerOf(options, request.headers);
        const { spec } = await caller.api.exec.inspect({ exec });
        const isFramed = !spec.tty;
        const accept = (): void => {
          connection.accept({ contentType: streamType(version, isFramed), isFramed });
        };
        try {
          const started = await startExec(caller, exec, body.ConsoleSize ?? undefined);
          if (body.Detach) return connection.reply(200);
          const session = await openExec(caller, connection, started);
          accept();
          await relayExec(session, started, isFramed);
        } catch (error) {
          // Clients then ask for the exit code, 126 or 127.
          const isOfCommand = hasCode(error, "COMMAND_NOT_FOUND", "COMMAND_NOT_EXECUTABLE");
          if (isOfCommand && !body.Detach) accept();
          throw error;
        }
        connection.end();
      } catch (error) {
        await connection.fail(error);
      }
    },
  };
}
