/** `--volume`, `--mount` and `--tmpfs` in podman's syntax. Sources are paths on the container's host. */
import { mountPropagations } from "@podfleet/model/container/mount";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";

import { parseSize } from "./quantities.ts";
import { flagError, quoted, splitPair } from "./values.ts";

export type MountInput = NonNullable<ContainerSpecInput["mounts"]>[number];
type BindInput = Extract<MountInput, { type: "bind" }>;
type TmpfsInput = Extract<MountInput, { type: "tmpfs" }>;

/** `SOURCE:DESTINATION[:OPTION,...]` */
export function parseVolume(text: string): BindInput {
  const [source, destination, options, ...rest] = text.split(":");
  if (!source || !destination || rest.length > 0) {
    throw flagError(
      "--volume",
      text,
      'must be "SOURCE:DESTINATION" or "SOURCE:DESTINATION:OPTIONS"',
    );
  }
  if (!source.startsWith("/")) {
    throw flagError(
      "--volume",
      text,
      "the source must be an absolute path on the container's host; there are no named volumes",
    );
  }
  const mount: BindInput = { type: "bind", source, destination };
  for (const option of options ? options.split(",") : []) {
    Object.assign(mount, volumeOption(text, option));
  }
  return mount;
}

function volumeOption(text: string, option: string): Partial<BindInput> {
  const propagation = mountPropagations.find((name) => name === option);
  if (propagation) return { propagation };
  switch (option) {
    case "ro":
      return { readOnly: true };
    case "rw":
      return { readOnly: false };
    case "bind":
      return { recursive: false };
    case "rbind":
      return { recursive: true };
    default:
      throw flagError(
        "--volume",
        text,
        `option "${option}" must be one of "ro", "rw", "bind", "rbind", ${quoted(mountPropagations)}`,
      );
  }
}

/** `DESTINATION[:OPTION,...]` with `size=`, `mode=`, `ro` and `rw` */
export function parseTmpfs(text: string): TmpfsInput {
  const [destination, options] = splitPair(text, ":");
  const mount: TmpfsInput = { type: "tmpfs", destination };
  for (const option of options ? options.split(",") : []) {
    const [key, value] = splitPair(option);
    if (key === "size" && value) mount.sizeBytes = parseSize("--tmpfs", value);
    else if (key === "mode" && value) mount.mode = value;
    else if (option === "ro" || option === "rw") mount.readOnly = option === "ro";
    // These three are always set.
    else if (!["noexec", "nosuid", "nodev"].includes(option)) {
      throw flagError(
        "--tmpfs",
        text,
        `option "${option}" must be one of "size=BYTES", "mode=OCTAL", "ro", "rw"`,
      );
    }
  }
  return mount;
}

/** `type=bind,source=PATH,destination=PATH[,...]` or `type=tmpfs,destination=PATH[,...]` */
export function parseMount(text: string): MountInput {
  const fields = new Map(text.split(",").map((field) => splitPair(field)));
  const type = fields.get("type");
  if (type !== "bind" && type !== "tmpfs") {
    throw flagError("--mount", text, 'must have "type=bind" or "type=tmpfs"');
  }
  fields.delete("type");
  const destination = take(fields, ["destination", "dst", "target"]);
  if (!destination) throw flagError("--mount", text, 'must have "destination=PATH"');
  const readOnly = takeReadOnly(text, fields);
  const mount = type === "bind" ? bindOf(text, fields) : tmpfsOf(fields);
  const unknown = [...fields.keys()][0];
  if (unknown !== undefined) {
    throw flagError("--mount", text, `"${unknown}" is not an option of a ${type} mount`);
  }
  return { ...mount, destination, ...(readOnly === undefined ? {} : { readOnly }) };
}

type Fields = Map<string, string | undefined>;

function bindOf(text: string, fields: Fields): Omit<BindInput, "destination"> {
  const source = take(fields, ["source", "src"]);
  if (!source) throw flagError("--mount", text, 'must have "source=PATH"');
  const mount: Omit<BindInput, "destination"> = { type: "bind", source };
  const propagation = take(fields, ["bind-propagation"]);
  if (propagation !== undefined) {
    const known = mountPropagations.find((name) => name === propagation);
    if (!known) {
      throw flagError(
        "--mount",
        text,
        `"bind-propagation" must be one of ${quoted(mountPropagations)}`,
      );
    }
    mount.propagation = known;
  }
  const nonRecursive = takeBoolean(text, fields, "bind-nonrecursive");
  if (nonRecursive !== undefined) mount.recursive = !nonRecursive;
  return mount;
}

function tmpfsOf(fields: Fields): Omit<TmpfsInput, "destination"> {
  const size = take(fields, ["tmpfs-size"]);
  const mode = take(fields, ["tmpfs-mode"]);
  return {
    type: "tmpfs",
    ...(size === undefined ? {} : { sizeBytes: parseSize("--mount tmpfs-size", size) }),
    ...(mode === undefined ? {} : { mode }),
  };
}

function takeReadOnly(text: string, fields: Fields): boolean | undefined {
  const writable = takeBoolean(text, fields, "rw");
  const flags = [takeBoolean(text, fields, "ro"), takeBoolean(text, fields, "readonly")];
  return (
    flags.find((flag) => flag !== undefined) ?? (writable === undefined ? undefined : !writable)
  );
}

function takeBoolean(text: string, fields: Fields, key: string): boolean | undefined {
  if (!fields.has(key)) return undefined;
  const value = take(fields, [key]) ?? "true";
  if (value !== "true" && value !== "false") {
    throw flagError("--mount", text, `"${key}" must be "true" or "false"`);
  }
  return value === "true";
}

function take(fields: Fields, names: readonly string[]): string | undefined {
  const name = names.find((candidate) => fields.has(candidate));
  if (name === undefined) return undefined;
  const value = fields.get(name);
  fields.delete(name);
  return value;
}
