import type { Shell } from "../shell.ts";

/** As podman does when a terminal and input are asked for, and the input is none. */
export async function warnUnlessTerminal(
  { stderr }: Pick<Shell, "stderr">,
  { tty, interactive }: { readonly tty: boolean; readonly interactive: boolean },
): Promise<void> {
  if (!tty || !interactive || process.stdin.isTTY) return;
  await stderr.print(
    "Warning: Standard input is not a terminal; --tty and --interactive may not work as expected",
  );
}
