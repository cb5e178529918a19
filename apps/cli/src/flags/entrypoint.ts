import { flagError } from "./flag-error.ts";

/** The list in a flag's value that is one in JSON; undefined when it is plain text. */
export function parseCommandList(flag: string, text: string): string[] | undefined {
  if (!text.trimStart().startsWith("[")) return undefined;
  const list = parseJson(text);
  if (!Array.isArray(list) || !list.every((item) => typeof item === "string")) {
    throw flagError(flag, text, "must be a command, or a JSON list of strings");
  }
  return list;
}

/** An empty value clears the image's entrypoint; plain text is one word, as podman has it. */
export function parseEntrypoint(text: string): string[] {
  if (text === "") return [];
  return parseCommandList("--entrypoint", text) ?? [text];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
