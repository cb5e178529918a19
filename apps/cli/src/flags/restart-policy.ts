import type { RestartPolicy } from "@podfleet/model/container/restart-policy";

import { flagError } from "./flag-error.ts";

/** `no`, `always`, `unless-stopped` or `on-failure[:RETRIES]`; empty means `no`. */
export function parseRestartPolicy(text: string): RestartPolicy {
  switch (text) {
    case "":
    case "no":
      return { name: "no" };
    case "always":
    case "unless-stopped":
    case "on-failure":
      return { name: text };
    default: {
      const retries = /^on-failure:(\d{1,9})$/.exec(text)?.[1];
      if (retries !== undefined) return { name: "on-failure", retriesMax: Number(retries) };
      throw flagError(
        "--restart",
        text,
        'must be "no", "always", "unless-stopped", "on-failure" or "on-failure:RETRIES"',
      );
    }
  }
}
