/** The supported versions of Docker's Engine API: https://docs.docker.com/reference/api/engine/version-history/ */
import { PodfleetError } from "@podfleet/model/errors";

export const apiVersion = "1.47";
export const apiVersionMin = "1.24";

/** The first version in which a stream's content type says whether it has frames. */
const framesNamedSince = "1.42";

/**
 * The version in a path's `/v1.NN`; the newest without one.
 * @throws PodfleetError INVALID_INPUT when it is not supported
 */
export function parseApiVersion(asked: string | undefined): string {
  if (asked === undefined) return apiVersion;
  const isKnown = asked.startsWith("1.");
  if (isKnown && minorOf(asked) > minorOf(apiVersion)) {
    throw refusal(`client version ${asked} is too new. Maximum supported API version is`, {
      version: asked,
      allowed: apiVersion,
    });
  }
  if (isKnown && minorOf(asked) >= minorOf(apiVersionMin)) return asked;
  throw refusal(`client version ${asked} is too old. Minimum supported API version is`, {
    version: asked,
    allowed: apiVersionMin,
  });
}

export function namesFrames(version: string): boolean {
  return minorOf(version) >= minorOf(framesNamedSince);
}

function minorOf(version: string): number {
  return Number(version.slice(version.indexOf(".") + 1));
}

/** dockerd's error text, which clients look for. */
function refusal(text: string, { version, allowed }: { version: string; allowed: string }) {
  return new PodfleetError("INVALID_INPUT", `${text} ${allowed}`, { details: { version } });
}
