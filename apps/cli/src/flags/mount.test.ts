import { expect, test } from "vitest";

import { parseMount, parseTmpfs, parseVolume } from "./mount.ts";
import type { MountInput } from "./mount.ts";

const bind = { type: "bind", source: "/src", destination: "/dst" } as const;
const tmpfs = { type: "tmpfs", destination: "/dst" } as const;

test.each<[text: string, mount: MountInput]>([
  ["/src:/dst", bind],
  ["/src:/dst:ro", { ...bind, readOnly: true }],
  ["/src:/dst:rw,bind", { ...bind, readOnly: false, recursive: false }],
  ["/src:/dst:ro,rslave", { ...bind, readOnly: true, propagation: "rslave" }],
])("--volume %s", (text, mount) => {
  expect(parseVolume(text)).toEqual(mount);
});

test.each<[text: string, mount: MountInput]>([
  ["type=bind,source=/src,destination=/dst", bind],
  ["type=bind,src=/src,target=/dst,ro", { ...bind, readOnly: true }],
  ["type=bind,src=/src,dst=/dst,readonly=false", { ...bind, readOnly: false }],
  ["type=bind,src=/src,dst=/dst,rw=false", { ...bind, readOnly: true }],
  ["dst=/dst,type=bind,src=/src,bind-propagation=shared", { ...bind, propagation: "shared" }],
  ["type=bind,src=/src,dst=/dst,bind-nonrecursive", { ...bind, recursive: false }],
  ["type=tmpfs,dst=/dst", tmpfs],
  [
    "type=tmpfs,dst=/dst,tmpfs-size=1m,tmpfs-mode=0755,ro=true",
    { ...tmpfs, sizeBytes: 1_048_576, mode: "0755", readOnly: true },
  ],
])("--mount %s", (text, mount) => {
  expect(parseMount(text)).toEqual(mount);
});

test.each([
  ["type=volume,src=data,dst=/dst", '"type=bind" or "type=tmpfs"'],
  ["type=bind,dst=/dst", '"source=PATH"'],
  ["type=bind,src=/src", '"destination=PATH"'],
  ["type=bind,src=/src,dst=/dst,ro=maybe", '"ro" must be "true" or "false"'],
  ["type=bind,src=/src,dst=/dst,bind-propagation=all", '"rprivate"'],
  ["type=tmpfs,dst=/dst,src=/src", '"src" is not an option of a tmpfs mount'],
  ["type=tmpfs,dst=/dst,tmpfs-size=big", "--mount tmpfs-size"],
])("--mount %s is refused", (text, reason) => {
  expect(() => parseMount(text)).toThrow(reason);
});

test("the flags of --tmpfs that are always in force may be given", () => {
  expect(parseTmpfs("/dst:noexec,nosuid,nodev")).toEqual(tmpfs);
});
