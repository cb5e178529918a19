import { expect, test } from "vitest";

import { creationFailure, reasonOf } from "./runtime-failure.ts";

/** As runc 1.1.5 and crun 1.8.1 say it. */
test.each([
  [
    "runc",
    'runc create failed: unable to start container process: exec: "nosuch": executable file not found in $PATH',
    "COMMAND_NOT_FOUND",
  ],
  [
    "runc",
    'runc create failed: unable to start container process: exec: "/no": stat /no: no such file or directory',
    "COMMAND_NOT_FOUND",
  ],
  [
    "runc",
    'runc create failed: unable to start container process: exec: "/etc": permission denied',
    "COMMAND_NOT_EXECUTABLE",
  ],
  [
    "runc",
    'runc create failed: unable to start container process: exec: "/etc": is a directory',
    "COMMAND_NOT_EXECUTABLE",
  ],
  [
    "runc",
    "runc create failed: unable to start container process: error during container init: mkdir /x: not a directory",
    "RUNTIME_FAILED",
  ],
  [
    "crun",
    "executable file `nosuch` not found in $PATH: No such file or directory",
    "COMMAND_NOT_FOUND",
  ],
  ["crun", "open executable: Operation not permitted", "COMMAND_NOT_EXECUTABLE"],
  ["crun", "open executable: Permission denied", "COMMAND_NOT_EXECUTABLE"],
  ["crun", "chdir `/x`: Not a directory", "RUNTIME_FAILED"],
])("%s: %s", (_runtime, reason, code) => {
  const failure = creationFailure(reason, "the-command");
  expect(failure.code).toBe(code);
  expect(failure.details?.["reason"]).toBe(reason);
});

test("the reason is the message of the last log line", () => {
  const warning = '{"level":"warning","msg":"first","time":"2026-11-23T17:57:35Z"}';
  const error = '{"level":"error","msg":"the \\"reason\\"","time":"2026-11-23T17:57:35Z"}';
  expect(reasonOf(`${warning}\n${error}\n`)).toBe('the "reason"');
});

test("text that is no log line is its own reason", () => {
  expect(reasonOf("panic: out of luck\n")).toBe("panic: out of luck");
  expect(reasonOf("{not json")).toBe("{not json");
  expect(reasonOf("")).toBe("");
});
