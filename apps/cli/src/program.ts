/** The tree of commands: nouns with their verbs. podman's commands are at the top level too. */
import { Command } from "./command.ts";
import {
  artifactAddCommand,
  artifactGetCommand,
  artifactLsCommand,
  artifactRmCommand,
} from "./commands/artifact.ts";
import { completeCommand, completionCommand } from "./commands/completion.ts";
import { attachCommand } from "./commands/container/attach.ts";
import { batchCommand } from "./commands/container/batch.ts";
import { checkpointCommand } from "./commands/container/checkpoint.ts";
import { cpCommand } from "./commands/container/cp.ts";
import { createCommand } from "./commands/container/create.ts";
import { execCommand } from "./commands/container/exec.ts";
import { inspectCommand } from "./commands/container/inspect.ts";
import { logsCommand } from "./commands/container/logs.ts";
import { psCommand } from "./commands/container/ps.ts";
import { restoreCommand } from "./commands/container/restore.ts";
import { rmCommand } from "./commands/container/rm.ts";
import {
  diffCommand,
  exportCommand,
  mountCommand,
  unmountCommand,
} from "./commands/container/rootfs.ts";
import { runCommand } from "./commands/container/run.ts";
import { startCommand } from "./commands/container/start.ts";
import {
  cleanupCommand,
  initCommand,
  pauseCommand,
  refreshCommand,
  unpauseCommand,
} from "./commands/container/state-changes.ts";
import { statsCommand } from "./commands/container/stats.ts";
import { killCommand, restartCommand, stopCommand } from "./commands/container/stop.ts";
import { topCommand } from "./commands/container/top.ts";
import { renameCommand, updateCommand } from "./commands/container/update.ts";
import { waitCommand } from "./commands/container/wait.ts";
import { contextSetCommand, contextShowCommand } from "./commands/context.ts";
import { dockerEnvCommand } from "./commands/docker/env.ts";
import { healthcheckRunCommand } from "./commands/healthcheck.ts";
import { hostInspectCommand, hostLsCommand } from "./commands/host.ts";
import { imageLoadCommand, imageLsCommand } from "./commands/image.ts";
import { opLsCommand, opShowCommand, traceCommand } from "./commands/operation.ts";
import { sessionKillCommand, sessionResumeCommand } from "./commands/session/control.ts";
import { sessionInspectCommand, sessionLsCommand } from "./commands/session/list.ts";
import { sessionReplayCommand } from "./commands/session/replay.ts";
import { eventsCommand } from "./commands/system/events.ts";
import { infoCommand } from "./commands/system/info.ts";
import { versionCommand } from "./commands/system/version.ts";
import type { Shell } from "./shell.ts";
import { version } from "./version.ts";

const containerVerbs = [
  runCommand,
  createCommand,
  initCommand,
  startCommand,
  restartCommand,
  stopCommand,
  killCommand,
  pauseCommand,
  unpauseCommand,
  execCommand,
  attachCommand,
  waitCommand,
  rmCommand,
  inspectCommand,
  logsCommand,
  renameCommand,
  updateCommand,
  cleanupCommand,
  refreshCommand,
  batchCommand,
  mountCommand,
  unmountCommand,
  exportCommand,
  cpCommand,
  diffCommand,
  topCommand,
  statsCommand,
  checkpointCommand,
  restoreCommand,
];

export function buildProgram(shell: Shell): Command {
  const program = new Command("podfleet")
    .description("Run containers on a fleet of hosts as podman runs them on one")
    .version(`podfleet version ${version}`, "-v, --version", "show the version")
    .helpOption("-h, --help", "show help")
    .addHelpText("after", '\n"podfleet COMMAND --help" explains a command, with examples.')
    .enablePositionalOptions();
  const commands = [
    ...containerVerbs.map((make) => make(shell)),
    psCommand(shell),
    eventsCommand(shell),
    imageLsCommand(shell, "images"),
    imageLoadCommand(shell),
    traceCommand(shell),
    infoCommand(shell),
    versionCommand(shell),
    noun("container", "Containers", [
      ...containerVerbs.map((make) => make(shell)),
      psCommand(shell).alias("ls").alias("list"),
    ]),
    noun("artifact", "Files kept with containers", [
      artifactAddCommand(shell),
      artifactGetCommand(shell),
      artifactLsCommand(shell),
      artifactRmCommand(shell),
    ]),
    noun("healthcheck", "Healthchecks of containers", [healthcheckRunCommand(shell)]),
    noun("image", "Images", [imageLoadCommand(shell), imageLsCommand(shell, "ls")]),
    noun("host", "Hosts of the fleet", [hostLsCommand(shell), hostInspectCommand(shell)]),
    noun("op", "Operations: every requested change and its outcome", [
      opLsCommand(shell),
      opShowCommand(shell),
      traceCommand(shell),
    ]),
    noun("session", "Sessions: clients attached to commands", [
      sessionLsCommand(shell),
      sessionResumeCommand(shell),
      sessionKillCommand(shell),
      sessionReplayCommand(shell),
      sessionInspectCommand(shell),
    ]),
    noun("context", "Control plane that the CLI calls", [
      contextShowCommand(shell),
      contextSetCommand(shell),
    ]),
    noun("docker", "Docker's CLI on the fleet", [dockerEnvCommand(shell)]),
    completionCommand(shell, program),
  ];
  for (const command of commands) program.addCommand(command);
  program.addCommand(completeCommand(shell), { hidden: true });
  return program;
}

function noun(name: string, description: string, verbs: readonly Command[]): Command {
  const command = new Command(name)
    .description(description)
    .helpCommand(false)
    .enablePositionalOptions();
  for (const each of verbs) command.addCommand(each);
  return command;
}
