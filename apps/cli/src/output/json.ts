import type { Output } from "./terminal.ts";

export async function printJson(output: Output, value: unknown): Promise<void> {
  await output.print(JSON.stringify(value, null, 4));
}
