import { execa } from "execa";

import { SetUpFailure } from "./failure.mjs";

/**
 * Checks that nothing listens on an address.
 * @param remedy alternative to ending the other process, for the error
 * @throws SetUpFailure that names the process on the port
 */
export async function refuseTakenPort(
  purpose: string,
  address: string,
  remedy: string,
): Promise<void> {
  const port = address.slice(address.lastIndexOf(":") + 1);
  const args = ["--listening", "--tcp", "--numeric", "--processes", "--no-header"];
  const { stdout } = await execa("ss", [...args, `sport = :${port}`], { timeout: 10_000 });
  const [host] = address.split(":");
  const taken = stdout.split("\n").find((line) => {
    const local = line.trim().split(/\s+/)[3] ?? "";
    const owner = local.slice(0, local.lastIndexOf(":"));
    return [host, "0.0.0.0", "*", "[::]"].includes(owner);
  });
  if (taken === undefined) return;
  const [, program = "unknown", pid = "unknown"] = /\(\("([^"]+)",pid=(\d+)/.exec(taken) ?? [];
  throw new SetUpFailure(
    `The ${purpose} needs ${address}, which process ${pid} (${program}) listens on: end that process, ${remedy}`,
  );
}
