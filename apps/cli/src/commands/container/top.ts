import type { ContainerProcess } from "@podfleet/model/container/usage";

import type { Command } from "../../command.ts";
import { preciseElapsed } from "../../output/quantity.ts";
import { printList } from "../../output/table.ts";
import type { Columns } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

/** podman's format descriptors. */
const columns: Columns<ContainerProcess> = {
  user: { heading: "USER", value: ({ user }) => user },
  uid: { heading: "UID", value: ({ uid }) => String(uid) },
  gid: { heading: "GID", value: ({ gid }) => String(gid) },
  pid: { heading: "PID", value: ({ pid }) => String(pid) },
  ppid: { heading: "PPID", value: ({ ppid }) => String(ppid) },
  hpid: { heading: "HPID", value: ({ hostPid }) => String(hostPid) },
  pcpu: {
    heading: "%CPU",
    value: ({ cpuMs, elapsedMs }) => ((cpuMs * 100) / Math.max(elapsedMs, 1)).toFixed(3),
  },
  etime: { heading: "ELAPSED", value: ({ elapsedMs }) => preciseElapsed(elapsedMs) },
  tty: { heading: "TTY", value: ({ tty }) => tty ?? "?" },
  time: { heading: "TIME", value: ({ cpuMs }) => preciseElapsed(cpuMs) },
  args: {
    heading: "COMMAND",
    value: ({ arguments: words, program }) => (words.length > 0 ? words.join(" ") : `[${program}]`),
  },
  comm: { heading: "COMMAND", value: ({ program }) => program },
  state: { heading: "STATE", value: ({ state }) => state },
  nice: { heading: "NI", value: ({ nice }) => String(nice) },
  nlwp: { heading: "NLWP", value: ({ threads }) => String(threads) },
  vsz: { heading: "VSZ", value: ({ virtualBytes }) => String(Math.round(virtualBytes / 1024)) },
  rss: { heading: "RSS", value: ({ residentBytes }) => String(Math.round(residentBytes / 1024)) },
};
const shown = ["user", "pid", "ppid", "pcpu", "etime", "tty", "time", "args"];

export function topCommand(shell: Shell): Command {
  return verb(shell, {
    name: "top",
    description: "List the processes of a running container",
    examples: ["top web", "top web pid hpid args", "top web --format json"],
  })
    .option("--format <format>", "json, or a list of columns")
    .argument("<container>", "name, id or id prefix")
    .argument("[column...]", `columns: ${Object.keys(columns).join(", ")}`)
    .action(
      connected(
        shell,
        async (client, container: string, names: string[], flags: { readonly format?: string }) => {
          const processes = await client.api.containers.top.query({ container });
          const format = names.length > 0 ? names.join(",") : flags.format;
          const options = format === undefined ? {} : { format };
          const json = (process: ContainerProcess) => process;
          await printList(shell.stdout, processes, { columns, shown, json, options });
        },
      ),
    );
}
