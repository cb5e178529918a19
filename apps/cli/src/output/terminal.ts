/** The process's two outputs. Writes wait for a slow reader, so nothing piles up in memory. */
import { once } from "node:events";

export interface Output {
  readonly isTerminal: boolean;
  /** Width in characters; undefined when it is not a terminal. */
  readonly columns: number | undefined;
  write(data: string | Uint8Array): Promise<void>;
  /** Writes `text` and a newline. */
  print(text: string): Promise<void>;
}

export function outputOf(stream: NodeJS.WriteStream): Output {
  const write = async (data: string | Uint8Array): Promise<void> => {
    if (data.length > 0 && !stream.write(data)) await once(stream, "drain");
  };
  return {
    isTerminal: stream.isTTY === true,
    columns: stream.isTTY ? stream.columns : undefined,
    write,
    print: async (text) => await write(`${text}\n`),
  };
}
