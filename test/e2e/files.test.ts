/** Files and resource usage of containers, by the CLI. */
import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "podfleet-files-"));
  fleet = await startFleet({ hosts: 1 });
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await fleet[Symbol.asyncDispose]();
});

async function cli(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await fleet.cli(args);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return stdout;
}

async function run(name: string, script: string): Promise<void> {
  await cli("run", "-d", "--name", name, "busybox", "sh", "-c", `${script}; sleep 600`);
}

describe("cp", () => {
  test("into a container, from it to another, and out of that", async () => {
    await run("from", "true");
    await cli("create", "--name", "to", "busybox", "true");
    const tree = join(folder, "tree");
    await mkdir(join(tree, "below"), { recursive: true });
    await writeFile(join(tree, "below/file"), "from this machine\n", { mode: 0o640 });
    await symlink("below/file", join(tree, "link"));
    await cli("cp", tree, "from:/srv");
    await cli("cp", "from:/srv/.", "to:/data");
    await cli("cp", "to:/data/below/file", join(folder, "copy"));
    expect(await readFile(join(folder, "copy"), "utf8")).toBe("from this machine\n");
    await cli("cp", "to:/data", join(folder, "data"));
    const { mode } = await lstat(join(folder, "data/below/file"));
    expect(mode & 0o777).toBe(0o640);
    expect((await lstat(join(folder, "data/link"))).isSymbolicLink()).toBe(true);
    expect((await cli("exec", "from", "stat", "-c", "%u:%g %a", "/srv/below/file")).trim()).toBe(
      "0:0 640",
    );
  });

  test("a new name, a directory and a file that is there", async () => {
    await run("names", "mkdir /dir; echo old > /file; ln -s /dir /link");
    await writeFile(join(folder, "one"), "1");
    await cli("cp", join(folder, "one"), "names:/dir/two");
    await cli("cp", join(folder, "one"), "names:/link");
    await cli("cp", join(folder, "one"), "names:/file");
    const shown = await cli("exec", "names", "sh", "-c", "ls /dir; cat /file");
    expect(shown).toBe("one\ntwo\n1");
    const refused = await fleet.cli(["cp", folder, "names:/file"]);
    expect(refused).toMatchObject({ exitCode: 125 });
    expect(refused.stderr).toContain("it is a file, must be a directory");
    const missing = await fleet.cli(["cp", "names:/none", folder]);
    expect(missing.stderr).toContain("nothing is at that path");
  });
});

test("M1 M2: mount and unmount", async () => {
  await cli("create", "--name", "mounted", "busybox", "true");
  const path = (await cli("mount", "mounted")).trim();
  expect(await readFile(join(path, "etc/passwd"), "utf8")).toContain("root:");
  expect(await cli("mount")).toContain(path);
  expect(await cli("umount", "mounted")).toBe("mounted\n");
  expect((await fleet.cli(["umount", "mounted"])).stderr).toContain("it is not mounted");
});

test("M3 O125: export, and F1: artifacts", async () => {
  await run("job", "echo changed > /etc/changed");
  const file = join(folder, "job.tar");
  await cli("export", "--output", file, "job");
  await cli("artifact", "add", "job", "rootfs.tar", file);
  expect(await cli("artifact", "ls", "job")).toContain("rootfs.tar");
  const back = join(folder, "back.tar");
  await cli("artifact", "get", "--output", back, "job", "rootfs.tar");
  expect((await readFile(back)).equals(await readFile(file))).toBe(true);
  await cli("artifact", "rm", "job", "rootfs.tar");
  expect((await fleet.cli(["artifact", "get", "job", "rootfs.tar"])).stderr).toContain(
    "no artifact of that name",
  );
});

test("diff, top and stats", async () => {
  await run("busy", "echo x > /new; rm /etc/group");
  expect(await cli("diff", "busy")).toBe("C /etc\nD /etc/group\nA /new\n");
  const [heading, first] = (await cli("top", "busy")).split("\n");
  expect(heading).toMatch(/^USER +PID +PPID +%CPU +ELAPSED +TTY +TIME +COMMAND$/);
  expect(first).toMatch(/^root +1 +0 .* sleep 600$/);
  expect(await cli("top", "busy", "pid,comm")).toMatch(/^PID +COMMAND\n1 +sleep\n/);
  const [stats] = JSON.parse(await cli("stats", "--no-stream", "--format", "json", "busy"));
  expect(stats).toMatchObject({ name: "busy", cpu_percent: expect.stringMatching(/^[\d.]+%$/) });
  expect(stats.usage.pids).toBeGreaterThan(0);
});
