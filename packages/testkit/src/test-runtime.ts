import { z } from "zod";

/** The OCI runtime of the tests that crash an engine: `PODFLEET_TEST_RUNTIME=crun`. Other tests run with both, or with runc. */
export const testRuntime = z
  .enum(["runc", "crun"])
  .default("runc")
  .parse(process.env["PODFLEET_TEST_RUNTIME"]);
