/** The peer process of `RawNats`: it sends messages on request, and echoes requests. */
import { connectBus } from "@podfleet/bus/connection";
import { hostIdSchema } from "@podfleet/model/ids";
import { agentInboxPrefix, hostSubject } from "@podfleet/protocol/subject";

export interface BulkRequest {
  readonly subject: string;
  readonly totalBytes: number;
  readonly messageBytes: number;
}

/** The most bytes in flight to the server; the same as a session's window. */
const unflushedBytesMax = 2 * 1024 * 1024;

const [servers = "", id = "", credentials = ""] = process.argv.slice(2);
const hostId = hostIdSchema.parse(id);
const inboxPrefix = agentInboxPrefix(hostId);
const bus = await connectBus({ servers, credentials, inboxPrefix, name: "bench peer" });
bus.control.subscribe(hostSubject(hostId, "ping"), (message) => message.respond(message.data));
await bus.control.flush();
process.on("message", (request: BulkRequest) => void send(request));
process.on("disconnect", () => void bus.close());
process.send?.("ready");

async function send({ subject, totalBytes, messageBytes }: BulkRequest): Promise<void> {
  let unflushed = 0;
  for (let sent = 0; sent < totalBytes; sent += messageBytes) {
    bus.bulk.publish(subject, new Uint8Array(messageBytes));
    unflushed += messageBytes;
    if (unflushed < unflushedBytesMax) continue;
    await bus.bulk.flush();
    unflushed = 0;
  }
}
