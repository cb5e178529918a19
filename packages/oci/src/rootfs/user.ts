/** The user that a container's command runs as, by the container's own /etc/passwd and /etc/group. */
import { readFile } from "node:fs/promises";

import { PodfleetError } from "@podfleet/model/errors";

import type { ResolvedUser } from "../spec/resolved-user.ts";
import { findInRootfs } from "./rootfs-path.ts";

export interface UserRequest {
  /** `name`, `uid`, `name:group`, `uid:gid`; root when absent. */
  readonly user: string | undefined;
  /** Supplementary groups, by name or number. */
  readonly groups: readonly string[];
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * Resolves a user. A number needs no entry in /etc/passwd; a name does. A user without a group gets the group of its entry, else 0, and
 * the groups that list it.
 * @throws PodfleetError INVALID_INPUT that names the unknown user or group
 */
export async function resolveUser(rootfs: string, request: UserRequest): Promise<ResolvedUser> {
  const [passwd, group] = await Promise.all([
    readLines(rootfs, "/etc/passwd"),
    readLines(rootfs, "/etc/group"),
  ]);
  return findUser(parsePasswd(passwd), parseGroup(group), request);
}

/** Reads user names by uid from the container's /etc/passwd; the first entry of a uid counts. */
export async function readUserNames(rootfs: string): Promise<Map<number, string>> {
  const entries = parsePasswd(await readLines(rootfs, "/etc/passwd")).toReversed();
  return new Map(entries.map(({ uid, name }) => [uid, name]));
}

export function findUser(
  users: readonly PasswdEntry[],
  groups: readonly GroupEntry[],
  request: UserRequest,
): ResolvedUser {
  const [userPart = "", groupPart] = (request.user ?? "0").split(":");
  const entry =
    users.find((user) => user.name === userPart) ??
    users.find((user) => user.uid === numberOf(userPart));
  const uid = entry?.uid ?? numberOf(userPart);
  if (uid === undefined) throw unknownName("user", userPart, "/etc/passwd");
  const listed = groups.filter((group) => entry && group.members.includes(entry.name));
  const implied = groupPart === undefined ? listed.map((group) => group.gid) : [];
  const asked = request.groups.map((name) => groupId(groups, name));
  const gid = groupPart === undefined ? (entry?.gid ?? 0) : groupId(groups, groupPart);
  return {
    uid,
    gid,
    additionalGids: [...new Set([...implied, ...asked])].toSorted((a, b) => a - b),
    home: entry?.home || "/",
  };
}

function groupId(groups: readonly GroupEntry[], name: string): number {
  const gid = groups.find((group) => group.name === name)?.gid ?? numberOf(name);
  if (gid === undefined) throw unknownName("group", name, "/etc/group");
  return gid;
}

function unknownName(kind: "user" | "group", name: string, file: string): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Unknown ${kind} "${name}": must be a number or a name in the image's ${file}`,
    { details: { field: kind === "user" ? "user" : "groups", value: name } },
  );
}

const idMax = 2 ** 32 - 2;

function numberOf(text: string): number | undefined {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return number <= idMax ? number : undefined;
}

/** Reads passwd(5). */
export function parsePasswd(lines: readonly string[]): PasswdEntry[] {
  return lines.flatMap((line) => {
    const [name, , uid = "", gid = "", , home = ""] = line.split(":");
    const ids = { uid: numberOf(uid), gid: numberOf(gid) };
    if (!name || ids.uid === undefined || ids.gid === undefined) return [];
    return [{ name, uid: ids.uid, gid: ids.gid, home }];
  });
}

/** Reads group(5). */
export function parseGroup(lines: readonly string[]): GroupEntry[] {
  return lines.flatMap((line) => {
    const [name, , gid = "", members = ""] = line.split(":");
    const number = numberOf(gid);
    if (!name || number === undefined) return [];
    return [{ name, gid: number, members: members.split(",").filter(Boolean) }];
  });
}

/** Far above the size of any real file: the image decides what is at the path. */
const fileBytesMax = 16 * 1024 * 1024;

async function readLines(rootfs: string, path: string): Promise<string[]> {
  const found = await findInRootfs(rootfs, path);
  if (!found?.stats.isFile() || found.stats.size > fileBytesMax) return [];
  return (await readFile(found.path, "utf8")).split("\n").map((line) => line.trim());
}
