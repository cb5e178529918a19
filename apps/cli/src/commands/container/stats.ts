import type { ContainerStats } from "@podfleet/model/container/usage";

import type { Command } from "../../command.ts";
import { parseCount } from "../../flags/values.ts";
import { humanMemory, humanSize, preciseElapsed } from "../../output/quantity.ts";
import { printList } from "../../output/table.ts";
import type { Columns } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { clearScreen } from "../../terminal/screen.ts";
import { connected, verb } from "../../verb.ts";

interface StatsFlags {
  readonly stream: boolean;
  readonly reset: boolean;
  readonly trunc: boolean;
  readonly interval: string;
  readonly format?: string;
}

export function statsCommand(shell: Shell): Command {
  return verb(shell, {
    name: "stats",
    description: "Show the resource usage of running containers, repeatedly",
    examples: ["stats", "stats --no-stream web", "stats --interval 1 --format json web"],
  })
    .option("--no-stream", "show it once only")
    .option("--no-reset", "do not clear the screen between samples")
    .option("--no-trunc", "do not shorten ids")
    .option("-i, --interval <seconds>", "time between samples", "5")
    .option("--format <format>", "json, or a list of columns")
    .argument("[container...]", "names, ids or id prefixes; every running container when absent")
    .action(
      connected(shell, async (client, names: string[], flags: StatsFlags) => {
        const request = {
          ...(names.length > 0 ? { containers: names } : {}),
          intervalMs: Math.max(parseCount("--interval", flags.interval) * 1_000, 100),
          once: !flags.stream,
        };
        const options = flags.format === undefined ? {} : { format: flags.format };
        const mayReset = flags.stream && flags.reset && shell.stdout.isTerminal;
        for await (const sample of client.watchStats(request, { whenDown: "fail" })) {
          if (mayReset) await shell.stdout.write(clearScreen);
          const list = { columns: columnsOf(flags.trunc), shown, json: asJson, options };
          await printList(shell.stdout, sample, list);
        }
      }),
    );
}

const shown = ["id", "name", "cpu", "mem", "mempercent", "netio", "blockio", "pids", "time", "avg"];

function columnsOf(truncate: boolean): Columns<ContainerStats> {
  return {
    id: { heading: "ID", value: ({ id }) => (truncate ? id.slice(0, 12) : id) },
    name: { heading: "NAME", value: ({ name }) => name },
    host: { heading: "HOST", value: ({ host }) => host },
    cpu: { heading: "CPU %", value: ({ cpuPercent }) => percent(cpuPercent) },
    mem: { heading: "MEM USAGE / LIMIT", value: ({ usage }) => memory(usage) },
    mempercent: { heading: "MEM %", value: ({ usage }) => percent(memoryPercent(usage)) },
    netio: { heading: "NET IO", value: ({ usage }) => network(usage) },
    blockio: {
      heading: "BLOCK IO",
      value: ({ usage }) => pair(usage.blockReadBytes, usage.blockWriteBytes),
    },
    pids: { heading: "PIDS", value: ({ usage }) => String(usage.pids) },
    time: { heading: "CPU TIME", value: ({ usage }) => preciseElapsed(usage.cpuNanos / 1e6) },
    avg: { heading: "AVG CPU %", value: ({ cpuPercentAverage }) => percent(cpuPercentAverage) },
  };
}

type Usage = ContainerStats["usage"];

function percent(value: number): string {
  return `${value.toFixed(2)}%`;
}

function memory({ memoryBytes, memoryLimitBytes }: Usage): string {
  return `${humanMemory(memoryBytes)} / ${humanMemory(memoryLimitBytes)}`;
}

function memoryPercent({ memoryBytes, memoryLimitBytes }: Usage): number {
  return (memoryBytes * 100) / memoryLimitBytes;
}

function network({ network: counts }: Usage): string {
  return counts ? pair(counts.receivedBytes, counts.sentBytes) : "-- / --";
}

function pair(one: number, other: number): string {
  return `${humanSize(one)} / ${humanSize(other)}`;
}

/** podman's fields, and the raw numbers. */
function asJson({ id, name, host, usage, cpuPercent, cpuPercentAverage }: ContainerStats) {
  return {
    ...{ id: id.slice(0, 12), name, host },
    ...{ cpu_percent: percent(cpuPercent), avg_cpu: percent(cpuPercentAverage) },
    ...{ mem_usage: memory(usage), mem_percent: percent(memoryPercent(usage)) },
    ...{ net_io: network(usage), block_io: pair(usage.blockReadBytes, usage.blockWriteBytes) },
    ...{ pids: String(usage.pids), cpu_time: preciseElapsed(usage.cpuNanos / 1e6) },
    usage,
  };
}
