/** A client of the engine's sessions, for tests: it reads all output and acknowledges it. */
import type { Gap } from "@podfleet/journal/record/follower";
import type { PodfleetError } from "@podfleet/model/errors";
import { type ContainerId, newSessionId, type SessionId } from "@podfleet/model/ids";
import { type CommandExit, sessionSpecSchema } from "@podfleet/model/session";
import { waitFor } from "@podfleet/testkit/wait-for";
import type { z } from "zod";

import type { Attachment } from "./session/attachment.ts";
import type { EngineUnderTest } from "./test-engine.ts";

export interface TestOpening {
  readonly sessionId?: SessionId;
  readonly caller?: string;
  readonly resume?: boolean;
  readonly offset?: number;
}

export class TestSession {
  readonly attachment: Attachment;
  error: PodfleetError | undefined;
  /** Output in the order in which it came. */
  readonly stdout: Buffer[] = [];
  readonly stderr: Buffer[] = [];
  readonly gaps: Gap[] = [];
  /** Offset up to which output was read. */
  offset: number;
  exit: CommandExit | undefined;
  onChange: () => void = () => undefined;

  private constructor(attachment: Attachment) {
    this.attachment = attachment;
    this.offset = attachment.offset;
  }

  static async open(
    under: EngineUnderTest,
    containerId: ContainerId,
    spec: z.input<typeof sessionSpecSchema> = {},
    opening: TestOpening = {},
  ): Promise<TestSession> {
    const opened: { session?: TestSession } = {};
    const attachment = await under.engine.sessions.open(
      {
        sessionId: newSessionId(),
        caller: "ann",
        resume: false,
        ...opening,
        containerId,
        spec: sessionSpecSchema.parse(spec),
      },
      {
        headroom: 18,
        onChange: () => opened.session?.onChange(),
        onEnd: (error) => {
          if (opened.session) opened.session.error = error;
        },
      },
    );
    const session = new TestSession(attachment);
    opened.session = session;
    session.onChange = () => session.read();
    return session;
  }

  /** Writes as room allows, and resolves when all was taken. */
  async write(data: string | Buffer): Promise<void> {
    const bytes = Buffer.from(data);
    const { input } = this.attachment;
    if (!input) throw new Error("The session takes no input");
    for (let sent = 0; sent < bytes.length;) {
      const { seq, limit } = await waitFor(
        () => {
          const position = input.position();
          return position && position.limit > position.seq ? position : undefined;
        },
        { what: "room for input", intervalMs: 2, timeoutMs: 20_000 },
      );
      const piece = bytes.subarray(sent, sent + Math.min(limit - seq, 32 * 1024));
      input.write(seq, piece);
      sent += piece.length;
    }
  }

  /** Ends the session's input. */
  endInput(): void {
    this.attachment.input?.end(this.attachment.input.position()?.seq ?? 0);
  }

  get id(): SessionId {
    return this.attachment.session.id;
  }

  /** Reads all output that there is, `step` bytes of the journal at a time. */
  read(step = Number.POSITIVE_INFINITY): void {
    for (;;) {
      const gap = this.attachment.takeGap();
      if (gap) this.#takeGap(gap);
      const pieces = this.attachment.readSoon(this.offset + step);
      for (const { bytes, stream, offset, next } of pieces) {
        if (offset !== this.offset) throw new Error(`Hole from ${this.offset} to ${offset}`);
        this[stream].push(Buffer.from(bytes.subarray(18)));
        this.offset = next;
      }
      if (pieces.length === 0) break;
    }
    this.attachment.acknowledge(this.offset);
    this.exit ??= this.attachment.findEnd()?.exit;
  }

  #takeGap({ from, to }: Gap): void {
    if (from !== this.offset) throw new Error(`Hole from ${this.offset} to ${from}`);
    this.gaps.push({ from, to });
    this.offset = to;
  }

  text(stream: "stdout" | "stderr" = "stdout"): string {
    return Buffer.concat(this[stream]).toString();
  }

  /** Resolves when the command has written `text`. */
  async printed(text: string): Promise<void> {
    this.read();
    await waitFor(() => this.text().includes(text), { what: `"${text}" in "${this.text()}"` });
  }

  /** Resolves with the command's exit when all of its output was read. */
  async ended(): Promise<CommandExit> {
    this.onChange = () => this.read();
    this.read();
    return await waitFor(() => this.exit, { what: "the exit", timeoutMs: 10_000 });
  }
}
