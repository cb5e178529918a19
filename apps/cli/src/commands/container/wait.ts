import { containerStates } from "@podfleet/model/container/state";
import { waitConditions } from "@podfleet/model/container/wait";
import { errorKinds, hasCode, PodfleetError } from "@podfleet/model/errors";

import type { Command } from "../../command.ts";
import { reportFailure } from "../../failure.ts";
import { parseChoice } from "../../flags/values.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface WaitFlags {
  readonly condition: string;
  readonly ignore: boolean;
}

const conditions = [...waitConditions, ...containerStates] as const;

export function waitCommand(shell: Shell): Command {
  return verb(shell, {
    name: "wait",
    description: "Wait until containers have ended and print their exit codes; -1 is unknown",
    examples: ["wait job", "wait job-1 job-2 job-3", "wait --condition running web"],
  })
    .option("--condition <condition>", `condition to wait for: ${conditions.join(", ")}`, "exit")
    .option("-i, --ignore", "print -1 for containers that do not exist", false)
    .argument("<container...>", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: WaitFlags) => {
        const condition = parseChoice("--condition", flags.condition, conditions);
        const waits = await Promise.allSettled(
          names.map(
            async (container) => await client.wait({ container, condition }, { whenDown: "fail" }),
          ),
        );
        let exitCode = 0;
        for (const wait of waits) {
          if (wait.status === "fulfilled") {
            await shell.stdout.print(String(wait.value.exitCode ?? -1));
          } else if (flags.ignore && hasCode(wait.reason, "CONTAINER_NOT_FOUND")) {
            await shell.stdout.print("-1");
          } else {
            await reportFailure(shell, wait.reason);
            exitCode ||= errorKinds[PodfleetError.from(wait.reason).code].exitCode;
          }
        }
        return exitCode;
      }),
    );
}
