import type { ExecSession } from "@podfleet/model/exec";

/** `GET /exec/{id}/json`. The exit code is null before the end, and -1 when it is unknown. */
export function inspectedExec(session: ExecSession) {
  const { id, containerId, spec, state, pid, exitCode } = session;
  const [entrypoint = "", ...args] = spec.command;
  return {
    ID: id,
    ContainerID: containerId,
    Running: state === "running",
    ExitCode: state === "exited" ? (exitCode ?? -1) : null,
    Pid: pid ?? 0,
    ProcessConfig: {
      tty: spec.tty,
      entrypoint,
      arguments: args,
      privileged: spec.privileged,
      ...(spec.user === undefined ? {} : { user: spec.user }),
    },
    OpenStdin: spec.stdin,
    OpenStdout: spec.attach.includes("stdout"),
    OpenStderr: spec.attach.includes("stderr"),
    DetachKeys: spec.detachKeys,
    CanRemove: state === "exited",
  };
}
