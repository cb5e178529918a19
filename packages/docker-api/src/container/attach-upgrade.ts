/** `POST /containers/{id}/attach` with an upgrade. */
import { callerOf, type StreamingOptions } from "../http/call.ts";
import { readQuery } from "../http/query.ts";
import { type UpgradeRoute, upgradePath, upgradeTarget } from "../http/upgrade-call.ts";
import { streamType } from "../stream/frames.ts";
import { HijackedConnection } from "../stream/hijacked-connection.ts";
import { attachQuery } from "./attach-query.ts";
import { getAttachable, openAttachment, relayAttachment } from "./attach.ts";

const path = upgradePath("containers", "attach");

export function attachUpgrade(options: StreamingOptions): UpgradeRoute {
  return {
    ...{ protocol: "tcp", method: "POST", path },
    take: async ({ request, socket, head }) => {
      const connection = new HijackedConnection({ socket, head, closing: options.closing });
      try {
        const target = upgradeTarget(request, path);
        const query = readQuery(attachQuery, target.query);
        const caller = await callerOf(options, request.headers);
        const container = await getAttachable(caller, target.reference);
        const attachment = await openAttachment({ caller, container, connection, query });
        const isFramed = !container.spec.tty;
        connection.accept({ contentType: streamType(target.version, isFramed), isFramed });
        await relayAttachment(attachment, isFramed);
        connection.end();
      } catch (error) {
        await connection.fail(error);
      }
    },
  };
}
