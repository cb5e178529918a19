/** A user at a terminal while every process between the keyboard and the command is killed and restarted. */
import type { TestTerminal } from "@podfleet/testkit/test-terminal";
import { afterAll, beforeAll, expect, test } from "vitest";

import { runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, type FleetHost, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;
let host: FleetHost;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 1 });
  [host] = fleet.hosts as [FleetHost];
  await runContainer(fleet.client, { name: "web", command: ["sleep", "3600"] });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

const outageMs = 45_000;

/** Reads a file in the container. */
async function contentOf(path: string): Promise<string> {
  return (await fleet.cli(["exec", "web", "cat", path])).stdout;
}

/** Kills both at once, and starts them again one after the other. */
async function killAndRestart(): Promise<void> {
  const [replica] = fleet.replicas;
  await Promise.all([host.agent.end("SIGKILL"), replica?.process.end("SIGKILL")]);
  host.agent.start();
  await replica?.start();
}

async function cutAndRejoin(terminal: TestTerminal): Promise<void> {
  await host.network.cut();
  await terminal.printed(/the connection is lost/, { timeoutMs: outageMs });
  await host.network.join();
}

test("what is typed while agent and control plane are killed arrives once, in order", async () => {
  await using terminal = fleet.terminal(
    'podfleet exec -it web sh -c "echo ready; cat > /tmp/typed"; echo [$?]',
  );
  await terminal.printed(/ready/);
  const count = 30;
  for (let line = 1; line <= count; line += 1) {
    terminal.type(`line ${line}\r`);
    if (line % 10 === 5) await killAndRestart();
  }
  const typed = Array.from({ length: count }, (_, index) => `line ${index + 1}`);
  await terminal.printed(new RegExp(`line ${count}\r\n`), { timeoutMs: outageMs });
  terminal.type("\u0004");
  await terminal.printed(/\[0\]/, { timeoutMs: outageMs });
  expect(await contentOf("/tmp/typed")).toBe(`${typed.join("\n")}\n`);
  // The terminal inside echoes each line once; what podfleet says of an outage stands between them.
  const echoed = terminal.text.match(/line \d+(?=\r\n)/g);
  expect(echoed).toEqual(typed);
});

test("a program that fills the screen goes on, and its screen is whole after each outage", async () => {
  await using terminal = fleet.terminal("podfleet exec -it web vi /tmp/poem");
  await terminal.shows((rows) => expect(rows[1]).toBe("~"));
  terminal.type("iOf arms");
  await killAndRestart();
  terminal.type(" and a man");
  await terminal.shows((rows) => expect(rows[0]).toBe("Of arms and a man"), {
    timeoutMs: outageMs,
  });
  await cutAndRejoin(terminal);
  terminal.type("\rI sing");
  const screen = ["Of arms and a man", "I sing", ...Array.from({ length: 21 }, () => "~")];
  await terminal.shows((rows) => expect(rows.slice(0, 23)).toEqual(screen), {
    timeoutMs: outageMs,
  });
  expect(terminal.text).toMatch(/connected again after \d+ s/);
  terminal.type("\u001b");
  // Its status line says so once vi has taken it for a key, and not for the beginning of one.
  await terminal.shows((rows) => expect(rows[23]).toMatch(/^- /));
  terminal.type(":wq\r");
  expect(await terminal.ended()).toBe(0);
  expect(await contentOf("/tmp/poem")).toBe("Of arms and a man\nI sing\n");
});

test("one can leave during an outage, and come back after it", async () => {
  await using terminal = fleet.terminal("podfleet exec -it web sh; echo [$?]");
  await terminal.printed(/# /);
  await host.network.cut();
  await terminal.printed(/the connection is lost/, { timeoutMs: outageMs });
  terminal.type("\u0010\u0011");
  const [, id] = await terminal.printed(/resume ([0-9a-f-]+)[^]*\[0\]/);
  await host.network.join();
  await fleet.ready();
  await using again = fleet.terminal(`podfleet session resume ${id}; echo [$?]`);
  again.type("\rexit 4\r");
  await again.printed(/\[4\]/, { timeoutMs: outageMs });
  expect(await again.ended()).toBe(0);
});
