/** `podfleet completion`, and the hidden command that completion scripts call. */
import type { Client } from "@podfleet/client/client";

import { Command } from "../command.ts";
import { bashScript } from "../completion/bash.ts";
import { fishScript } from "../completion/fish.ts";
import { commandShapes, completedKinds } from "../completion/shape.ts";
import type { CompletedKind } from "../completion/shape.ts";
import { zshScript } from "../completion/zsh.ts";
import { parseChoice } from "../flags/values.ts";
import type { Shell } from "../shell.ts";
import { verb } from "../verb.ts";

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };
const shells = ["bash", "zsh", "fish"] as const;

export function completionCommand(shell: Shell, program: Command): Command {
  return verb(shell, {
    name: "completion",
    description: "Print a completion script for a shell",
    examples: [
      "completion bash > /etc/bash_completion.d/podfleet",
      'completion zsh > "${fpath[1]}/_podfleet"',
      "completion fish > ~/.config/fish/completions/podfleet.fish",
    ],
  })
    .argument("<shell>", shells.join(", "))
    .action(async (name: string) => {
      const script = scripts[parseChoice("completion", name, shells)];
      await shell.stdout.write(script(commandShapes(program)));
    });
}

/** Most words that are offered for one operand. */
const offeredMax = 200;

/** `podfleet __complete KIND` prints the words of one kind, one a line. */
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
