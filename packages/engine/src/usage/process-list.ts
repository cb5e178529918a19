import { readFile } from "node:fs/promises";

import { hasErrno } from "@podfleet/base/errno";
import type { ContainerProcess } from "@podfleet/model/container/usage";

/** USER_HZ, the unit of times in /proc/PID/stat: the same on all architectures that Node runs on. */
const ticksPerSecond = 100;
const pageBytes = 4_096;

/**
 * Lists the processes with these host pids, by the pid that each has in its container; those that have ended are left out.
 * @param names user names of the container, by uid
 */
export async function listContainerProcesses(
  pids: readonly number[],
  names: ReadonlyMap<number, string>,
): Promise<ContainerProcess[]> {
  const uptime = await readFile("/proc/uptime", "latin1");
  const upMs = Number(uptime.split(" ")[0]) * 1_000;
  const found = (await Promise.all(pids.map(readProcess))).filter((each) => each !== undefined);
  const inContainer = new Map(found.map(({ hostPid, pid }) => [hostPid, pid]));
  return found
    .map(({ hostParent, startMs, ...process }) => ({
      ...process,
      ppid: inContainer.get(hostParent) ?? 0,
      user: names.get(process.uid) ?? String(process.uid),
      elapsedMs: Math.max(0, Math.round(upMs - startMs)),
    }))
    .toSorted((a, b) => a.pid - b.pid);
}

type FoundProcess = Omit<ContainerProcess, "ppid" | "user" | "elapsedMs"> & {
  readonly hostParent: number;
  /** Milliseconds from boot to the start of the process. */
  readonly startMs: number;
};

/** Reads one process; undefined when it has ended meanwhile. */
async function readProcess(hostPid: number): Promise<FoundProcess | undefined> {
  try {
    const [stat, status, commandLine] = await Promise.all(
      ["stat", "status", "cmdline"].map(
        async (name) => await readFile(`/proc/${hostPid}/${name}`, "utf8"),
      ),
    );
    return parseProcess(hostPid, { stat, status, commandLine });
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

interface ProcessFiles {
  readonly stat?: string | undefined;
  readonly status?: string | undefined;
  readonly commandLine?: string | undefined;
}

/** Reads proc_pid_stat(5), proc_pid_status(5) and proc_pid_cmdline(5). */
function parseProcess(
  hostPid: number,
  { stat = "", status = "", commandLine = "" }: ProcessFiles,
): FoundProcess {
  const program = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // Numbered from 1, as the manual page does; the third field is the first after the name.
  const field = (position: number): number => Number(fields[position - 3] ?? 0);
  const ids = (name: string): number[] =>
    (new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "").split(/\s+/).map(Number);
  const tty = ttyName(field(7));
  return {
    pid: ids("NSpid").at(-1) || hostPid,
    hostPid,
    hostParent: field(4),
    // Effective ids.
    uid: ids("Uid")[1] ?? 0,
    gid: ids("Gid")[1] ?? 0,
    state: fields[0] ?? "",
    nice: field(19),
    threads: field(20),
    virtualBytes: field(23),
    residentBytes: Math.max(0, field(24)) * pageBytes,
    ...(tty === undefined ? {} : { tty }),
    cpuMs: ((field(14) + field(15)) * 1_000) / ticksPerSecond,
    startMs: (field(22) * 1_000) / ticksPerSecond,
    program,
    arguments: commandLine
      .replace(/\0$/, "")
      .split("\0")
      .filter((text, index) => index > 0 || text),
  };
}

/** Major device numbers of pseudo-terminals (the kernel's devices.txt). */
const terminalMajors = { first: 136, last: 143 } as const;

function ttyName(device: number): string | undefined {
  if (device === 0) return undefined;
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  const isPseudo = major >= terminalMajors.first && major <= terminalMajors.last;
  return isPseudo ? `pts/${(major - terminalMajors.first) * 256 + minor}` : `${major}:${minor}`;
}
