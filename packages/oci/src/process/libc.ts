/**
 * Calls of the C library that Node does not offer. Each blocks the thread for a fraction of a millisecond.
 *
 * Node starts a process by fork(2), which copies the page tables of the whole agent: several milliseconds a process, all
 * of them spent on the one thread that serves everything else. posix_spawn(3) shares them until the program is loaded and
 * costs the same whatever the agent's size. mount(2) instead of mount(8) spares a process altogether.
 */
import { constants } from "node:os";

import { PodfleetError } from "@podfleet/model/errors";
import koffi from "koffi";

const library = koffi.load("libc.so.6");
const strings = "_In_ const char **";
const opaque = "void *";

export const libc = {
  mount: library.func(
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
  ),
  umount2: library.func("int umount2(const char *target, int flags)"),
  pipe2: library.func("int pipe2(_Out_ int *descriptors, int flags)"),
  fallocate: library.func("int fallocate(int descriptor, int mode, long offset, long length)"),
  waitpid: library.func("int waitpid(int pid, _Out_ int *status, int options)"),
  posixSpawn: library.func(
    `int posix_spawn(_Out_ int *pid, const char *path, ${opaque} actions, ${opaque} attributes, ${strings} argv, ${strings} envp)`,
  ),
  actionsInit: library.func(`int posix_spawn_file_actions_init(${opaque} actions)`),
  actionsDestroy: library.func(`int posix_spawn_file_actions_destroy(${opaque} actions)`),
  addDup2: library.func(
    `int posix_spawn_file_actions_adddup2(${opaque} actions, int descriptor, int target)`,
  ),
  addClose: library.func(
    `int posix_spawn_file_actions_addclose(${opaque} actions, int descriptor)`,
  ),
  addOpen: library.func(
    `int posix_spawn_file_actions_addopen(${opaque} actions, int target, const char *path, int flags, uint32_t mode)`,
  ),
  addChdir: library.func(
    `int posix_spawn_file_actions_addchdir_np(${opaque} actions, const char *path)`,
  ),
  attributesInit: library.func(`int posix_spawnattr_init(${opaque} attributes)`),
  attributesDestroy: library.func(`int posix_spawnattr_destroy(${opaque} attributes)`),
  setFlags: library.func(`int posix_spawnattr_setflags(${opaque} attributes, short flags)`),
  setSignalDefaults: library.func(
    `int posix_spawnattr_setsigdefault(${opaque} attributes, ${opaque} signals)`,
  ),
  setSignalMask: library.func(
    `int posix_spawnattr_setsigmask(${opaque} attributes, ${opaque} signals)`,
  ),
} as const;

/** Makes the error for a call that failed with an error number of the kernel. */
export function systemFailure(what: string, errno: number = koffi.errno()): PodfleetError {
  const name = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0];
  return new PodfleetError("RUNTIME_FAILED", `Cannot ${what}: ${name ?? `error ${errno}`}`, {
    details: { errno: name ?? errno },
  });
}
