/** The parts of the OCI runtime specification's `config.json` that podfleet writes. */
import type { TerminalSize } from "@podfleet/model/exec";

export interface RuntimeSpec {
  readonly ociVersion: string;
  readonly process: RuntimeProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname: string;
  readonly mounts: readonly RuntimeMount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: {
    readonly cgroupsPath: string;
    readonly namespaces: readonly { readonly type: RuntimeNamespace; readonly path?: string }[];
    readonly resources: RuntimeResources;
    readonly devices: readonly RuntimeDevice[];
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
    readonly rootfsPropagation?: "shared" | "rslave";
    readonly seccomp?: RuntimeSeccomp;
  };
}

export interface RuntimeProcess {
  readonly terminal: boolean;
  readonly consoleSize?: TerminalSize;
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly umask: number;
    readonly additionalGids: readonly number[];
  };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Readonly<Record<CapabilitySet, readonly string[]>>;
  readonly noNewPrivileges: boolean;
  readonly rlimits: readonly RuntimeRlimit[];
}

export type CapabilitySet = "bounding" | "effective" | "permitted" | "inheritable" | "ambient";

export type RuntimeNamespace = "pid" | "ipc" | "uts" | "mount" | "network" | "cgroup";

export interface RuntimeRlimit {
  readonly type: string;
  readonly soft: bigint;
  readonly hard: bigint;
}

export interface RuntimeMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface RuntimeResources {
  readonly devices: readonly { readonly allow: boolean; readonly access: string }[];
  readonly cpu?: { readonly quota?: number; readonly period?: number; readonly shares?: number };
  readonly memory?: { readonly limit: number; readonly swap?: number };
  readonly pids: { readonly limit: number };
}

/** Limits that can be changed while the container runs. */
export type RuntimeLimits = Omit<RuntimeResources, "devices">;

export interface RuntimeDevice {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface RuntimeSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly RuntimeSyscallRule[];
}

export interface RuntimeSyscallRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly RuntimeSyscallArgument[];
}

export interface RuntimeSyscallArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

/** Serializes `config.json`, or the process of an exec session. Limits are 64-bit integers, which JSON can hold and a JavaScript number cannot. */
export function serializeRuntimeSpec(spec: RuntimeSpec | RuntimeProcess): string {
  return JSON.stringify(spec, (_key, value: unknown) =>
    typeof value === "bigint" ? JSON.rawJSON(value.toString()) : value,
  );
}

declare global {
  interface JSON {
    /** Returns a value that is serialized as `text` (ECMAScript proposal "JSON.parse source text access"). */
    rawJSON(text: string): unknown;
  }
}
