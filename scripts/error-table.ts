/** Writes docs/errors.md from the error registry. A test checks that the file is current. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { errorCodes, errorKinds } from "@podfleet/model/errors";

const introduction = `# Errors

Every failure that a caller can meet has one of these codes: in tRPC errors as \`error.data.podfleet\`, in operations and in the CLI's
\`--format json\` output. \`scripts/error-table.ts\` makes this page from \`packages/model/src/errors.ts\`.

"Retry" says whether the same call may succeed later without the caller changing anything. A mutation that is retried with its
operation id takes effect once. "Exit" is the CLI's exit code.

| code | meaning | tRPC code | retry | exit |
| --- | --- | --- | --- | --- |
`;

export function renderErrorTable(): string {
  const rows = errorCodes.map((code) => {
    const { doc, trpcCode, retryable, exitCode } = errorKinds[code];
    return `| \`${code}\` | ${doc} | \`${trpcCode}\` | ${retryable ? "yes" : "no"} | ${exitCode} |\n`;
  });
  return introduction + rows.join("");
}

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, "../docs/errors.md"), renderErrorTable());
}
