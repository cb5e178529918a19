import type { Command } from "../../command.ts";
import { bashScript } from "../../completion/bash.ts";
import { fishScript } from "../../completion/fish.ts";
import { commandShapes } from "../../completion/shape.ts";
import { zshScript } from "../../completion/zsh.ts";
import { parseChoice } from "../../flags/flag-error.ts";
import type { Shell } from "../../shell.ts";
import { verb } from "../../verb.ts";

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };
const shells = ["bash", "zsh", "fish"] as const;

export function completionCommand(shell: Shell, program: Command): Command {
  return verb(shell, {
    name: "completion",
    description: "Print a script that makes a shell complete podfleet's commands and names",
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
