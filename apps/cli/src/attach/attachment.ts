/** Connects this process's standard streams to a session. */
import { detached, scanDetachKeys } from "@podfleet/base/detach-keys";
import type { SessionRequest, SessionStream } from "@podfleet/client/session";
import { isUnreachable, PodfleetError } from "@podfleet/model/errors";
import type { CommandExit } from "@podfleet/model/session";

import { describeGap } from "../output/log-writer.ts";
import type { Shell } from "../shell.ts";
import { Notices } from "../terminal/notices.ts";
import { RawMode } from "../terminal/raw-mode.ts";
import { screenReset, watchWindowSize, windowSize } from "../terminal/screen.ts";
import { InputBuffer } from "./input-buffer.ts";

/** Ten minutes is how long a session outlives its connection by default. The command runs on while its host's agent restarts. */
const patience = { outageMaxMs: 600_000, whenHostSilent: "retry", whenDown: "fail" } as const;

/** Time between two changes of the window size, long enough for programs to notice both. */
const repaintMs = 100;

/** ctrl-d. Ends the input of a command with a terminal when standard input is not one, as script(1) does. */
const endOfTransmission = Uint8Array.of(4);

export interface FollowOptions {
  /** Forward standard input. */
  readonly input: boolean;
  /** Used when the command has a terminal. */
  readonly detachKeys: string;
  /** Have the command redraw its screen. */
  readonly repaint?: boolean;
}

/** Time limit for a detach or close while the connection is lost. After it, the host treats the client as lost. */
const leaveMs = 3_000;

/** Drops its connection when disposed of. A session that was never followed is closed. */
export class Attachment implements AsyncDisposable {
  readonly session: SessionStream;
  readonly #shell: Shell;
  readonly #notices: Notices;
  /** Aborted to give up the session. */
  readonly #gone: AbortController;
  #wasFollowed = false;

  private constructor(parts: {
    readonly shell: Shell;
    readonly session: SessionStream;
    readonly notices: Notices;
    readonly gone: AbortController;
  }) {
    this.session = parts.session;
    this.#shell = parts.shell;
    this.#notices = parts.notices;
    this.#gone = parts.gone;
    this.#notices.onReturn = () => this.repaint();
  }

  static async open(shell: Shell, request: SessionRequest): Promise<Attachment> {
    const client = await shell.client();
    const notices = new Notices(shell.stderr);
    const gone = new AbortController();
    const session = await client.openSession(request, {
      ...patience,
      signal: gone.signal,
      onOutage: (outage) => notices.tell(outage),
    });
    return new Attachment({ shell, session, notices, gone });
  }

  /** Whether the terminal goes into raw mode, so that keys such as ctrl-c go to the command. */
  takesKeys({ input, detachKeys }: FollowOptions): boolean {
    const { tty, takesInput } = this.session;
    return input && tty && process.stdin.isTTY && (takesInput || detachKeys !== "");
  }

  /**
   * Returns when the command has ended and all its output is written, or the user has detached.
   * @returns undefined after a detach
   * @throws PodfleetError SESSION_ENDED, SESSION_IN_USE; UNAVAILABLE or HOST_UNREACHABLE after a long outage
   */
  async follow(options: FollowOptions): Promise<CommandExit | undefined> {
    this.#wasFollowed = true;
    const exit = await this.#follow(options).finally(() => {
      // After the terminal is restored: a closed stream cannot be restored any more.
      if (options.input) process.stdin.destroy();
      this.#notices.isRaw = false;
    });
    if (!exit) {
      await this.#within(leaveMs, async () => await this.session.detach());
      const { name } = this.session.container;
      await this.#notices.say(`detached from "${name}"; "${this.#resumeCommand}" comes back to it`);
    }
    return exit;
  }

  async #follow(options: FollowOptions): Promise<CommandExit | undefined> {
    using raw = this.takesKeys(options) ? new RawMode(process.stdin) : undefined;
    this.#notices.isRaw = raw !== undefined;
    using _window = watchWindowSize((size) => this.session.resize(size));
    if (options.repaint) this.repaint();
    const left = Promise.withResolvers<void>();
    if (options.input) {
      this.#passInput(options).then((end) => end === detached && left.resolve(), left.reject);
    }
    let isWhole = false;
    try {
      const exit = (await Promise.race([left.promise, this.#showOutput()])) ?? undefined;
      isWhole = exit !== undefined;
      return exit;
    } catch (error) {
      if (isUnreachable(error)) {
        await this.#notices.say(`the session goes on; "${this.#resumeCommand}" comes back to it`);
      }
      throw error;
    } finally {
      if (raw && !isWhole) await this.#shell.stdout.write(screenReset);
    }
  }

  /** Changes the window size and changes it back, which makes a full-screen program redraw. */
  repaint(): void {
    const size = windowSize();
    if (!size || !this.session.tty) return;
    const { height, width } = size;
    this.session.resize({ height: height > 1 ? height - 1 : 2, width });
    setTimeout(() => this.session.resize(windowSize() ?? size), repaintMs).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#notices[Symbol.dispose]();
    if (!this.#wasFollowed) await this.#within(leaveMs, async () => await this.session.close());
    this.#gone.abort();
  }

  get #resumeCommand(): string {
    return `podfleet session resume ${this.session.id}`;
  }

  /** Runs `leave`, and gives up the session when it fails or takes too long. */
  async #within(timeoutMs: number, leave: () => Promise<void>): Promise<void> {
    const timer = setTimeout(() => this.#gone.abort(), timeoutMs);
    try {
      await leave();
    } catch {
      // Safe to ignore: a session without a client ends by itself.
    } finally {
      clearTimeout(timer);
    }
  }

  async #showOutput(): Promise<CommandExit> {
    const [exit] = await Promise.all([this.session.exit, this.#write()]);
    return exit;
  }

  async #write(): Promise<void> {
    for await (const piece of this.session.output) {
      if (piece.type === "output") await this.#shell[piece.stream].write(piece.bytes);
      else await this.#notices.say(describeGap(piece, this.session.container.name));
    }
  }

  /** Returns when the user has detached, the input has ended, or standard input was destroyed. */
  async #passInput({ detachKeys: keys }: FollowOptions): Promise<typeof detached | undefined> {
    const { session } = this;
    const buffer = session.takesInput ? new InputBuffer(session.input) : undefined;
    let wasRefused = false;
    for await (const bytes of session.tty ? scanDetachKeys(keyboard(), { keys }) : keyboard()) {
      if (bytes === detached) return detached;
      await buffer?.write(bytes);
      if (!buffer && !wasRefused) await this.#refuseInput(keys);
      wasRefused = !buffer;
    }
    if (session.tty && !process.stdin.isTTY) await buffer?.write(endOfTransmission);
    else await buffer?.end();
    return undefined;
  }

  async #refuseInput(keys: string): Promise<void> {
    const { container, tty } = this.session;
    const hint = tty && keys !== "" ? `; ${keys} leaves it` : "";
    await this.#notices.say(
      `"${container.name}" takes no input, because it was made without --interactive${hint}`,
    );
  }
}

/** Standard input. Ends without an error when this process has destroyed it. */
async function* keyboard(): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const chunk of process.stdin) yield chunk as Uint8Array;
  } catch (error) {
    if (process.stdin.destroyed && !process.stdin.errored) return;
    throw new PodfleetError("INVALID_INPUT", `Cannot read standard input: ${String(error)}`, {
      cause: error,
    });
  }
}
