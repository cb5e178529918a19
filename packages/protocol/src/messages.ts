/** The schemas of all messages by request. `bus` types its calls with them, and a test hashes them. */
import { eventsReplySchema, eventsRequestSchema } from "./agent/events.ts";
import { heartbeatSchema } from "./agent/heartbeat.ts";
import { helloReplySchema, helloRequestSchema } from "./agent/hello.ts";
import { artifactListReplySchema, artifactListRequestSchema } from "./host/artifact.ts";
import { doReplySchema, doRequestSchema } from "./host/do.ts";
import {
  execInspectReplySchema,
  execInspectRequestSchema,
  execListReplySchema,
  execListRequestSchema,
  execResizeReplySchema,
  execResizeRequestSchema,
  execWaitReplySchema,
  execWaitRequestSchema,
} from "./host/exec.ts";
import { statReplySchema, statRequestSchema } from "./host/file.ts";
import { inspectReplySchema, inspectRequestSchema } from "./host/inspect.ts";
import {
  journalLocateReplySchema,
  journalLocateRequestSchema,
  journalReadHeadersSchema,
  journalReadRequestSchema,
} from "./host/journal.ts";
import { loopsReplySchema, loopsRequestSchema } from "./host/loops.ts";
import { pingReplySchema, pingRequestSchema } from "./host/ping.ts";
import { resizeReplySchema, resizeRequestSchema } from "./host/resize.ts";
import {
  sessionCloseReplySchema,
  sessionCloseRequestSchema,
  sessionListReplySchema,
  sessionListRequestSchema,
  sessionOpenReplySchema,
  sessionOpenRequestSchema,
} from "./host/session.ts";
import { settleReplySchema, settleRequestSchema } from "./host/settle.ts";
import {
  transferCloseReplySchema,
  transferCloseRequestSchema,
  transferOpenReplySchema,
  transferOpenRequestSchema,
  transferReadHeadersSchema,
  transferReadRequestSchema,
} from "./host/transfer.ts";
import { uploadChunkHeadersSchema, uploadChunkReplySchema } from "./host/upload-chunk.ts";
import {
  statsReplySchema,
  statsRequestSchema,
  topReplySchema,
  topRequestSchema,
} from "./host/usage.ts";
import { waitReplySchema, waitRequestSchema } from "./host/wait.ts";

/** Requests from the control plane to an agent, with JSON in both directions. */
export const hostMessages = {
  do: { request: doRequestSchema, reply: doReplySchema },
  ping: { request: pingRequestSchema, reply: pingReplySchema },
  loops: { request: loopsRequestSchema, reply: loopsReplySchema },
  inspect: { request: inspectRequestSchema, reply: inspectReplySchema },
  wait: { request: waitRequestSchema, reply: waitReplySchema },
  "exec.list": { request: execListRequestSchema, reply: execListReplySchema },
  "exec.inspect": { request: execInspectRequestSchema, reply: execInspectReplySchema },
  "exec.wait": { request: execWaitRequestSchema, reply: execWaitReplySchema },
  "exec.resize": { request: execResizeRequestSchema, reply: execResizeReplySchema },
  "container.resize": { request: resizeRequestSchema, reply: resizeReplySchema },
  "session.open": { request: sessionOpenRequestSchema, reply: sessionOpenReplySchema },
  "session.list": { request: sessionListRequestSchema, reply: sessionListReplySchema },
  "session.close": { request: sessionCloseRequestSchema, reply: sessionCloseReplySchema },
  stat: { request: statRequestSchema, reply: statReplySchema },
  top: { request: topRequestSchema, reply: topReplySchema },
  stats: { request: statsRequestSchema, reply: statsReplySchema },
  "artifact.list": { request: artifactListRequestSchema, reply: artifactListReplySchema },
  "journal.locate": { request: journalLocateRequestSchema, reply: journalLocateReplySchema },
  "operation.settle": { request: settleRequestSchema, reply: settleReplySchema },
  "transfer.open": { request: transferOpenRequestSchema, reply: transferOpenReplySchema },
  "transfer.close": { request: transferCloseRequestSchema, reply: transferCloseReplySchema },
} as const;

/** Requests from the control plane to an agent, with a binary body in one direction. */
export const hostBulkMessages = {
  /** The request is JSON; the reply has these headers and raw bytes. */
  "journal.read": { request: journalReadRequestSchema, replyHeaders: journalReadHeadersSchema },
  /** The request is JSON; the reply has these headers and raw bytes. */
  "transfer.read": { request: transferReadRequestSchema, replyHeaders: transferReadHeadersSchema },
  /** The request has these headers and raw bytes; the reply is JSON. */
  "upload.chunk": { requestHeaders: uploadChunkHeadersSchema, reply: uploadChunkReplySchema },
} as const;

/** Messages from an agent to the control plane. The further one, `spans`, is an ExportTraceServiceRequest of OTLP as protobuf. */
export const agentMessageSchemas = {
  hello: { request: helloRequestSchema, reply: helloReplySchema },
  events: { request: eventsRequestSchema, reply: eventsReplySchema },
  heartbeat: { message: heartbeatSchema },
} as const;
