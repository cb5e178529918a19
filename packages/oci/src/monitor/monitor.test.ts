import { expect, test } from "vitest";

import { monitorArguments } from "./monitor.ts";

const options = {
  id: "c1",
  bundle: "/run/podfleet/bundles/c1",
  journal: "/var/lib/podfleet/journals/c1",
  exitDirectory: "/run/podfleet/exits",
  tty: false,
  stdin: false,
  runtime: {
    monitorArguments: () => ["--runtime", "/usr/sbin/runc", "--runtime-arg", "--root=/run/runc"],
  },
};

test("conmon's arguments", () => {
  expect(monitorArguments(options)).toEqual([
    ...["--api-version", "1"],
    ...["--cid", "c1", "--cuuid", "c1", "--name", "c1"],
    ...["--runtime", "/usr/sbin/runc", "--runtime-arg", "--root=/run/runc"],
    ...["--bundle", "/run/podfleet/bundles/c1"],
    ...["--container-pidfile", "/run/podfleet/bundles/c1/container.pid"],
    ...["--conmon-pidfile", "/run/podfleet/bundles/c1/monitor.pid"],
    ...["--exit-dir", "/run/podfleet/exits"],
    ...["--log-path", "k8s-file:/var/lib/podfleet/journals/c1"],
    ...["--log-level", "warn"],
    "--full-attach",
  ]);
});

test.each([
  [{ stdin: true }, ["--stdin"]],
  [{ tty: true }, ["--terminal"]],
  [{ stdin: true, tty: true }, ["--stdin", "--terminal"]],
])("with %o", (more, added) => {
  expect(monitorArguments({ ...options, ...more })).toEqual([
    ...monitorArguments(options),
    ...added,
  ]);
});
