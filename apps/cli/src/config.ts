/** Settings of the CLI. No other file reads the environment. */
import { homedir } from "node:os";

import { contextPath, findContext } from "@podfleet/client/context";
import type { Context } from "@podfleet/client/context";
import { detachKeysDefault, detachKeysSchema } from "@podfleet/model/detach-keys";
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

import type { Environment } from "./flags/environment.ts";
import { flagError } from "./flags/values.ts";

const environmentSchema = z.object({
  PODFLEET_URL: z.string().optional(),
  PODFLEET_TOKEN: z.string().optional(),
  PODFLEET_DETACH_KEYS: z.string().optional(),
  XDG_CONFIG_HOME: z.string().optional(),
});

export interface Config {
  /** Path of the context file, which may not exist. */
  readonly contextPath: string;
  /** PODFLEET_URL and PODFLEET_TOKEN. Each overrides the context file. */
  readonly url: string | undefined;
  readonly token: string | undefined;
  /** PODFLEET_DETACH_KEYS, not parsed yet. Overrides the context file; empty disables detaching. */
  readonly detachKeys: string | undefined;
  /** Variables of the caller for `--env NAME`. */
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
 * @returns URL and token of the control plane
 * @throws PodfleetError INVALID_INPUT when neither the environment nor the context file has them
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
 * @returns the detach keys of the flag, else of the environment, else of the context file, else podman's
 * @throws PodfleetError INVALID_INPUT that names the source of invalid keys
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
