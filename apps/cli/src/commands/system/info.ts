import { type FleetLoops, isInTrouble, type LoopStatus } from "@podfleet/model/loop-status";

import type { Command } from "../../command.ts";
import { addFormatFlag, type FormatFlags, parseFormat } from "../../flags/format.ts";
import { humanMemory } from "../../output/quantity.ts";
import { printReport } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";
import { version } from "../../version.ts";

export function infoCommand(shell: Shell): Command {
  const command = verb(shell, {
    name: "info",
    description: "Show a summary of the fleet",
    examples: ["info", "info --format json"],
  });
  return addFormatFlag(command).action(
    connected(shell, async (client, flags: FormatFlags) => {
      const format = parseFormat(flags);
      const [system, loops, hosts, images] = await Promise.all([
        client.api.system.info.query(),
        client.api.system.loops.query(),
        client.api.hosts.list.query(),
        client.api.images.list.query(),
      ]);
      const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
      const info = {
        client: { version },
        controlPlane: { url: client.url, ...system },
        hosts: {
          total: hosts.length,
          ready: hosts.filter(({ state }) => state === "ready").length,
          cpus: sum(hosts.map(({ capacity }) => capacity.cpuMillis)) / 1000,
          memoryBytes: sum(hosts.map(({ capacity }) => capacity.memoryBytes)),
        },
        containers: {
          total: sum(hosts.map(({ containers }) => containers.total)),
          running: sum(hosts.map(({ containers }) => containers.running)),
        },
        images: images.length,
        loops,
      };
      const rows = [
        ["Client:", `podfleet ${version}`],
        ["Control plane:", `${client.url}, version ${system.version}`],
        ["Caller:", system.caller.name],
        ["Hosts:", `${info.hosts.ready} ready of ${info.hosts.total}`],
        ["Capacity:", `${info.hosts.cpus} CPUs, ${humanMemory(info.hosts.memoryBytes)}`],
        ["Containers:", `${info.containers.running} running of ${info.containers.total}`],
        ["Images:", String(info.images)],
        ["Background work:", describeLoops(loops)],
      ];
      await printReport(shell.stdout, format, { json: info, rows });
    }),
  );
}

/** The loops in trouble, and where they are. */
export function describeLoops({ controlPlane, hosts }: FleetLoops): string {
  const owners = [{ name: "control plane", loops: controlPlane.filter(isInTrouble) }, ...hosts];
  const troubles = owners.flatMap(({ name, loops }) =>
    loops.map((loop) => `${loop.name} of ${name} ${describeTrouble(loop)}`),
  );
  return troubles.length > 0 ? troubles.join("; ") : "runs";
}

function describeTrouble({ failures, overdueMs, lastError }: LoopStatus): string {
  const late = `${Math.round(overdueMs / 1000)} s late`;
  return failures > 0 ? `fails (${lastError?.message ?? late})` : `is ${late}`;
}
