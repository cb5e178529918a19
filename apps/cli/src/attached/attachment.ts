/** This process's standard streams, joined to a command elsewhere by a session. */
import { detached, scanDetachKeys } from "@podfleet/base/detach-keys";
import type { SessionRequest, SessionStream } from "@podfleet/client/session";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { CommandExit } from "@podfleet/model/session";

import { missing } from "../output/gap.ts";
import type { Shell } from "../shell.ts";
import { Notices } from "../terminal/notices.ts";
import { RawMode } from "../terminal/raw-mode.ts";
import { screenReset } from "../terminal/screen-reset.ts";
import { watchWindow, windowSize } from "../terminal/window.ts";
import { TypedAhead } from "./typed-ahead.ts";

/** As long as a session stays by itself; a command runs on while its host's agent restarts. */
const patience = { outageMaxMs: 600_000, whenHostSilent: "retry", whenDown: "fail" } as const;

/** From one change of a window's size to the next, so that programs notice both. */
const repaintMs = 100;

/** What a terminal sends when its user types the end of the input (ctrl-d), as script(1) does for input that is none. */
const endOfTransmission = Uint8Array.of(4);

export interface FollowOptions {
  /** Passes standard input on. */
  readonly input: boolean;
  /** Only for a command that has a terminal. */
  readonly detachKeys: string;
  /** What is on the command's screen already is drawn again. */
  readonly repaint?: boolean;
}

/** How long leaving may take while the connection is lost; then the host learns of it as of a lost client. */
const leaveMs = 3_000;

/** Disposed of, it drops its connection; a session that was not followed yet is closed. */
export class Attachment implements AsyncDisposable {
  readonly session: SessionStream;
  readonly #shell: Shell;
  readonly #notices: Notices;
  /** Aborted, it gives the session up. */
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

  /** Keys of this terminal go to the command one by one, those that make signals too. */
  takesKeys({ input, detachKeys }: FollowOptions): boolean {
    const { tty, takesInput } = this.session;
    return input && tty && process.stdin.isTTY && (takesInput || detachKeys !== "");
  }

  /**
   * Stays until the command has ended and everything was written, or the user leaves.
   * @returns undefined when the user has left
   * @throws PodfleetError SESSION_ENDED, SESSION_IN_USE; UNAVAILABLE and HOST_UNREACHABLE after a long outage
   */
  async follow(options: FollowOptions): Promise<CommandExit | undefined> {
    this.#wasFollowed = true;
    const exit = await this.#follow(options).finally(() => {
      // After the terminal was restored, which a closed stream cannot be any more.
      if (options.input) process.stdin.destroy();
      this.#notices.isRaw = false;
    });
    if (!exit) {
      await this.#within(leaveMs, async () => await this.session.detach());
      const { name } = this.session.container;
      await this.#notices.say(`detached from "${name}"; "${this.#wayBack}" comes back to it`);
    }
    return exit;
  }

  async #follow(options: FollowOptions): Promise<CommandExit | undefined> {
    using raw = this.takesKeys(options) ? new RawMode(process.stdin) : undefined;
    this.#notices.isRaw = raw !== undefined;
    using _window = watchWindow((size) => this.session.resize(size));
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
      if (hasCode(error, "UNAVAILABLE", "HOST_UNREACHABLE")) {
        await this.#notices.say(`the session goes on; "${this.#wayBack}" comes back to it`);
      }
      throw error;
    } finally {
      if (raw && !isWhole) await this.#shell.stdout.write(screenReset);
    }
  }

  /** Has a program that fills the screen draw it again: it does so when the window changes its size. */
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

  get #wayBack(): string {
    return `podfleet session resume ${this.session.id}`;
  }

  /** Gives up what the other side takes too long for, or cannot do any more. */
  async #within(timeoutMs: number, leave: () => Promise<void>): Promise<void> {
    const timer = setTimeout(() => this.#gone.abort(), timeoutMs);
    try {
      await leave();
    } catch {
      // Safe to ignore: a session that nobody comes back to ends by itself.
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
      else await this.#notices.say(missing(piece, this.session.container.name));
    }
  }

  /** @returns once the user has left, the input has ended, or this process is done with it */
  async #passInput({ detachKeys: keys }: FollowOptions): Promise<typeof detached | undefined> {
    const { session } = this;
    const ahead = session.takesInput ? new TypedAhead(session.input) : undefined;
    let wasRefused = false;
    for await (const bytes of session.tty ? scanDetachKeys(keyboard(), { keys }) : keyboard()) {
      if (bytes === detached) return detached;
      await ahead?.write(bytes);
      if (!ahead && !wasRefused) await this.#refuseInput(keys);
      wasRefused = !ahead;
    }
    if (session.tty && !process.stdin.isTTY) await ahead?.write(endOfTransmission);
    else await ahead?.end();
    return undefined;
  }

  async #refuseInput(keys: string): Promise<void> {
    const { container, tty } = this.session;
    const way = tty && keys !== "" ? `; ${keys} leaves it` : "";
    await this.#notices.say(
      `"${container.name}" takes no input, because it was made without --interactive${way}`,
    );
  }
}

/** Standard input; it ends quietly when this process is done with it. */
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
