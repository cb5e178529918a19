/** Standard output and standard error. A write waits for a slow reader, so nothing piles up in memory. */
import { once } from "node:events";

export interface Output {
  readonly isTerminal: boolean;
  /** Width in characters; undefined unless it is a terminal. */
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

export async function printJson(output: Output, value: unknown): Promise<void> {
  await output.print(JSON.stringify(value, null, 4));
}

/** Replaces control characters in text from a container or a host, so that it cannot control the terminal. */
export function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, " ");
}
