/** The terminal that this process writes to. */
import type { WriteStream } from "node:tty";

import type { TerminalSize } from "@podfleet/model/exec";

/** @returns undefined when neither output is a terminal, or the terminal has no size */
export function windowSize(): TerminalSize | undefined {
  const { rows = 0, columns = 0 } = findTerminal() ?? {};
  return rows > 0 && columns > 0 ? { height: rows, width: columns } : undefined;
}

/** Calls the listener with the new size after each change, until disposed of. */
export function watchWindowSize(listener: (size: TerminalSize) => void): Disposable {
  const window = findTerminal();
  const tell = (): void => {
    const size = windowSize();
    if (size) listener(size);
  };
  window?.on("resize", tell);
  return { [Symbol.dispose]: () => void window?.off("resize", tell) };
}

function findTerminal(): WriteStream | undefined {
  return [process.stdout, process.stderr].find(({ isTTY }) => isTTY);
}

/** Clears the screen and moves the cursor to the top left. */
export const clearScreen = "\u001b[2J\u001b[H";

/**
 * Restores a terminal that a full-screen program was cut off from: no colours, main screen, visible cursor, normal cursor keys and
 * keypad, no mouse reports, no bracketed paste. Has no effect on a terminal in its normal state. Source: xterm's control sequences
 * (DECSET, DECRST).
 */
export const screenReset =
  "\u001b[m\u001b[?1047l\u001b[?25h\u001b[?1l\u001b>\u001b[?1000;1002;1003;1006l\u001b[?2004l";
