/** The window that the user sees, if this process writes to one. */
import type { WriteStream } from "node:tty";

import type { TerminalSize } from "@podfleet/model/exec";

/** undefined when neither output is a terminal, or it has no size. */
export function windowSize(): TerminalSize | undefined {
  const { rows = 0, columns = 0 } = findWindow() ?? {};
  return rows > 0 && columns > 0 ? { height: rows, width: columns } : undefined;
}

/** Calls the listener with the new size after each change, until what it returns is disposed of. */
export function watchWindow(listener: (size: TerminalSize) => void): Disposable {
  const window = findWindow();
  const tell = (): void => {
    const size = windowSize();
    if (size) listener(size);
  };
  window?.on("resize", tell);
  return { [Symbol.dispose]: () => void window?.off("resize", tell) };
}

function findWindow(): WriteStream | undefined {
  return [process.stdout, process.stderr].find(({ isTTY }) => isTTY);
}
