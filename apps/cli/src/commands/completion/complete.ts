import type { Client } from "@podfleet/client/client";

import { Command } from "../../command.ts";
import { completedKinds } from "../../completion/shape.ts";
import type { CompletedKind } from "../../completion/shape.ts";
import { parseChoice } from "../../flags/flag-error.ts";
import type { Shell } from "../../shell.ts";

const offeredMax = 200;

/** What the completion scripts ask for: the words of one kind, a line each. */
export function completeCommand(shell: Shell): Command {
  return new Command("__complete").argument("<kind>").action(async (text: string) => {
    const kind = parseChoice("__complete", text, completedKinds);
    for (const word of await wordsOf(kind, await shell.client())) await shell.stdout.print(word);
  });
}

async function wordsOf(kind: CompletedKind, { api }: Client): Promise<string[]> {
  switch (kind) {
    case "container":
      return (await api.containers.list.query({ all: true, limit: offeredMax })).map(
        ({ name }) => name,
      );
    case "host":
      return (await api.hosts.list.query()).map(({ name }) => name);
    case "operation":
      return (await api.operations.list.query({ limit: offeredMax })).map(({ id }) => id);
    case "image":
      return (await api.images.list.query()).flatMap(({ names }) => names);
    case "session":
      return (await api.sessions.list.query({ all: true })).sessions.map(({ id }) => id);
  }
}
