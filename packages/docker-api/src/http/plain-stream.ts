/** A reply whose head is sent at once and whose body is streamed. */
import type { FastifyReply } from "fastify";

export interface PlainStream {
  /** Resolves when the client can take more, or is gone. */
  write(bytes: Uint8Array | string): Promise<void>;
  end(bytes?: string): void;
  /** Breaks the connection off, so that the client does not take a part for the whole. */
  destroy(): void;
  /** Aborted when the client is gone, or the server is about to end. */
  readonly signal: AbortSignal;
}

/** Takes over the reply: from here on errors are the stream's too. */
export function openPlainStream(
  reply: FastifyReply,
  { contentType, closing }: { readonly contentType: string; readonly closing: AbortSignal },
): PlainStream {
  const gone = new AbortController();
  const { raw } = reply;
  raw.once("close", () => gone.abort());
  raw.on("error", () => gone.abort());
  reply.type(contentType).hijack();
  raw.writeHead(200, reply.getHeaders() as Record<string, string>);
  raw.flushHeaders();
  return {
    write: async (bytes) => {
      if (gone.signal.aborted || raw.write(bytes)) return;
      await new Promise<void>((resolve) => {
        raw.once("drain", resolve);
        gone.signal.addEventListener("abort", () => resolve(), { once: true });
      });
    },
    end: (bytes) => void raw.end(bytes),
    destroy: () => void raw.destroy(),
    signal: AbortSignal.any([gone.signal, closing]),
  };
}
