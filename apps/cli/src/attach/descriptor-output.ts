/** Descriptors 3 and up that the caller opened for this process: `3>result.txt`. */
import { createWriteStream, readFileSync, readlinkSync } from "node:fs";
import type { WriteStream } from "node:fs";

import { PodfleetError } from "@podfleet/model/errors";
import { firstExtraDescriptor } from "@podfleet/model/exec";

/** The access mode bits of open(2)'s flags, and the read-only mode. */
const accessMode = 0o3;
const readOnly = 0o0;

export class DescriptorOutput {
  readonly descriptor: number;
  readonly #stream: WriteStream;

  /** @throws PodfleetError INVALID_INPUT unless the descriptor is open for writing */
  constructor(descriptor: number) {
    assertWritable(descriptor);
    this.descriptor = descriptor;
    this.#stream = createWriteStream("", { fd: descriptor, autoClose: false });
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    await promise;
  }
}

/** Opens the first `count` descriptors from 3 on. */
export function openDescriptors(count: number): DescriptorOutput[] {
  return Array.from(
    { length: count },
    (_, position) => new DescriptorOutput(firstExtraDescriptor + position),
  );
}

/** Reads proc_pid_fd(5) and proc_pid_fdinfo(5). A descriptor that Node opened for itself is an anonymous inode. */
function assertWritable(descriptor: number): void {
  const target = linkOf(descriptor);
  if (target === undefined || target.startsWith("anon_inode:")) {
    throw unusable(descriptor, "it is not open");
  }
  const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1");
  const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? "", 8);
  if ((flags & accessMode) === readOnly) {
    throw unusable(descriptor, "it is open for reading, and this version passes no input on");
  }
}

function linkOf(descriptor: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    // Safe to ignore: a link that cannot be read is not an open descriptor.
    return undefined;
  }
}

function unusable(descriptor: number, reason: string): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot pass on descriptor ${descriptor}: ${reason}; open it for writing, as in "${descriptor}>file"`,
    { details: { flag: "--preserve-fds", descriptor } },
  );
}
