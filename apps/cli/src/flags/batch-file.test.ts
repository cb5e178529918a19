import { PodfleetError } from "@podfleet/model/errors";
import { expect, test } from "vitest";

import { parseBatch } from "./batch-file.ts";

test("a step is a verb, or a verb with its arguments; JSON is YAML", () => {
  const yaml = `
container: web
steps:
  - start
  - exec: { command: [sh, -c, "exit 0"], timeoutSeconds: 5 }
  - kill: { signal: USR1 }
  - update: { resources: { cpus: 1.5, memoryBytes: null } }
  - stop: { timeoutSeconds: 2 }
`;
  const batch = parseBatch("batch.yaml", yaml);
  expect(batch).toMatchObject({
    container: "web",
    continueOnError: false,
    steps: [
      { verb: "container.start" },
      { verb: "exec.start", spec: { command: ["sh", "-c", "exit 0"], timeoutSeconds: 5 } },
      { verb: "container.kill", signal: 10 },
      { verb: "container.update", resources: { cpus: 1.5, memoryBytes: null } },
      { verb: "container.stop", timeoutSeconds: 2 },
    ],
  });
  const json = JSON.stringify({ container: "web", continueOnError: true, steps: ["pause"] });
  expect(parseBatch("batch.json", json)).toEqual({
    container: "web",
    continueOnError: true,
    steps: [{ verb: "container.pause" }],
  });
});

test.each([
  ["a removal", "container: web\nsteps: [start, remove]", "step 2 (remove): verb: "],
  ["an unknown argument", "container: web\nsteps: [{ stop: { time: 2 } }]", "step 1 (stop): "],
  ["a wrong value", "container: web\nsteps: [{ stop: { timeoutSeconds: -1 } }]", "timeoutSeconds"],
  ["a wrong signal", "container: web\nsteps: [pause, { kill: { signal: NO } }]", "step 2 (kill): "],
  ["no command", "container: web\nsteps: [{ exec: { command: [] } }]", "must name a command"],
  ["no container", "steps: [start]", "container: "],
  ["no steps", "container: web\nsteps: []", "steps: must have a step"],
  ["no YAML", "container: [", "Cannot use"],
  ["nothing", "", "Cannot use"],
])("%s is refused by what it is", (_name, text, message) => {
  expect(() => parseBatch("batch.yaml", text)).toThrow(PodfleetError);
  expect(() => parseBatch("batch.yaml", text)).toThrow(message);
});
