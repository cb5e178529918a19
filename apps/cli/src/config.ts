/** The CLI's settings: the only place that reads the environment. */
import { homedir } from "node:os";

import { contextPath, findContext } from "@podfleet/client/context";
import type { Context } from "@podfleet/client/context";
import { detachKeysDefault, detachKeysSchema } from "@podfleet/model/detach-keys";
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

import type { Environment } from "./flags/environment.ts";
import { flagError } from "./flags/flag-error.ts";

const environmentSchema = z.object({
  PODFLEET_URL: z.string().optional(),
  PODFLEET_TOKEN: z.string().optional(),
  PODFLEET_DETACH_KEYS: z.string().optional(),
  XDG_CONFIG_HOME: z.string().optional(),
});

export interface Config {
  /** Where the context file is, or would be. */
  readonly contextPath: string;
  /** PODFLEET_URL and PODFLEET_TOKEN; each goes before the context file's. */
  readonly url: string | undefined;
  readonly token: string | undefined;
  /** PODFLEET_DETACH_KEYS, as it is; empty: nothing detaches. It goes before the context file's. */
  readonly detachKeys: string | undefined;
  /** The caller's variables, which `--env NAME` passes on to containers. */
  readonly environment: Environment;
}

export function readConfig(): Config {
  const environment = environmentSchema.parse(process.env);
  return {
    contextPath: contextPath({ configHome: environment.XDG_CONFIG_HOME, home: homedir() }),
    url: environment.PODFLEET_URL || undefined,
    token: environment.PODFLEET_TOKEN || undefined,
    detachKeys: environment.PODFLEET_DETACH_KEYS,
    environment: process.env,
  };
}

/**
 * Which control plane to call, and with which token.
 * @throws PodfleetError INVALID_INPUT when neither the environment nor the context file says
 */
export async function getContext(config: Config): Promise<Context> {
  const { url, token } = config;
  if (url && token) return { url, token };
  const file = await findContext(config.contextPath);
  const context = { url: url ?? file?.url, token: token ?? file?.token };
  if (context.url && context.token) return { url: context.url, token: context.token };
  const missing = context.url ? "token" : "control plane";
  throw new PodfleetError(
    "INVALID_INPUT",
    `Cannot tell which ${missing} to use: run "npm start" here, write "${config.contextPath}" with "podfleet context set", or set PODFLEET_URL and PODFLEET_TOKEN`,
  );
}

/**
 * What the user types to leave a session: as `--detach-keys` says, else the environment, else the context file, else podman's keys.
 * @throws PodfleetError INVALID_INPUT that names where keys that are none were set
 */
export async function getDetachKeys(config: Config, flag: string | undefined): Promise<string> {
  if (flag !== undefined) return parseDetachKeys("--detach-keys", flag);
  const { detachKeys, contextPath: path } = config;
  if (detachKeys !== undefined) return parseDetachKeys("PODFLEET_DETACH_KEYS", detachKeys);
  return (await findContext(path))?.detachKeys ?? detachKeysDefault;
}

export function parseDetachKeys(name: string, text: string): string {
  const keys = detachKeysSchema.safeParse(text);
  if (keys.success) return keys.data;
  throw flagError(name, text, keys.error.issues[0]?.message ?? "is not allowed");
}
