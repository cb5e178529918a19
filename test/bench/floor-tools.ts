export const runc = "/usr/sbin/runc";
export const conmon = "/usr/bin/conmon";
export const toolPath = "/usr/sbin:/usr/bin:/sbin:/bin";
export const timeoutMs = 20_000;

/** `process` of the OCI runtime specification: as root, with the fewest fields. */
export function processSpec(args: readonly string[]) {
  return {
    terminal: false,
    user: { uid: 0, gid: 0 },
    args,
    env: ["PATH=/bin:/sbin"],
    cwd: "/",
    noNewPrivileges: true,
  };
}
