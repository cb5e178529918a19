import type { ContainerProcess } from "@podfleet/model/container/usage";

/** `GET /containers/{id}/top`: the columns of `ps -ef` on the host. */
export function processTable(processes: readonly ContainerProcess[], nowMs: number) {
  return {
    Titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
    Processes: processes.map((process) => [
      process.user,
      String(process.hostPid),
      String(parentOf(process, processes)),
      String(process.elapsedMs === 0 ? 0 : Math.floor((100 * process.cpuMs) / process.elapsedMs)),
      new Date(nowMs - process.elapsedMs)
        .toISOString()
        .slice("1970-01-01T".length, -":00.000Z".length),
      process.tty ?? "?",
      clock(process.cpuMs),
      process.arguments.length > 0 ? process.arguments.join(" ") : `[${process.program}]`,
    ]),
  };
}

/** The parent's pid on the host; 0 for a parent outside the container. */
function parentOf({ ppid }: ContainerProcess, processes: readonly ContainerProcess[]): number {
  return processes.find(({ pid }) => pid === ppid)?.hostPid ?? 0;
}

/** `00:01:02` */
function clock(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}
