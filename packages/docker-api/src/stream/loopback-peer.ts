/** The peer of a loopback connection, whose state the kernel of this machine knows. */
import { readFile } from "node:fs/promises";
import { isIPv4, Socket } from "node:net";
import type { Duplex } from "node:stream";

import { hasErrno } from "@podfleet/base/errno";

/** Whether the peer is on this machine; true for a Unix socket. */
export function isLoopback(socket: Duplex): boolean {
  if (!(socket instanceof Socket) || socket.remoteAddress === undefined) return true;
  const address = socket.remoteAddress.replace(/^::ffff:/, "");
  return isIPv4(address) ? address.startsWith("127.") : address === "::1";
}

/** The kernel's tables of TCP connections (proc_pid_net(5)): local address, remote address, state, four more, user, timeout, inode. */
const tables = ["/proc/net/tcp", "/proc/net/tcp6"];
const inodeColumn = 9;

/** Whether the peer's process has closed its end of a loopback connection, also when no reset has arrived. */
export async function hasClosedPeer(socket: Duplex): Promise<boolean> {
  if (!(socket instanceof Socket) || !isLoopback(socket)) return false;
  const [local, remote] = [hexPort(socket.remotePort), hexPort(socket.localPort)];
  if (local === undefined || remote === undefined) return false;
  const lines = (await Promise.all(tables.map(readTable))).flat();
  const ends = lines.map((line) => line.trim().split(/\s+/));
  const end = ends.find(([, from = "", to = ""]) => from.endsWith(local) && to.endsWith(remote));
  return end?.[inodeColumn] === "0";
}

async function readTable(path: string): Promise<string[]> {
  try {
    return (await readFile(path, "latin1")).split("\n");
  } catch (error) {
    // A kernel without IPv6 has no such table.
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

function hexPort(port: number | undefined): string | undefined {
  return port === undefined ? undefined : `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
}
