/** The tree of commands: nouns with their verbs, and podman's top-level names for those that podman has. */
import { Command } from "./command.ts";
import { artifactAddCommand } from "./commands/artifact/add.ts";
import { artifactGetCommand } from "./commands/artifact/get.ts";
import { artifactLsCommand } from "./commands/artifact/ls.ts";
import { artifactRmCommand } from "./commands/artifact/rm.ts";
import { completeCommand } from "./commands/completion/complete.ts";
import { completionCommand } from "./commands/completion/completion.ts";
import { attachCommand } from "./commands/container/attach.ts";
import { batchCommand } from "./commands/container/batch.ts";
import { checkpointCommand } from "./commands/container/checkpoint.ts";
import { cleanupCommand } from "./commands/container/cleanup.ts";
import { cpCommand } from "./commands/container/cp.ts";
import { createCommand } from "./commands/container/create.ts";
import { diffCommand } from "./commands/container/diff.ts";
import { execCommand } from "./commands/container/exec.ts";
import { exportCommand } from "./commands/container/export.ts";
import { initCommand } from "./commands/container/init.ts";
import { inspectCommand } from "./commands/container/inspect.ts";
import { killCommand } from "./commands/container/kill.ts";
import { logsCommand } from "./commands/container/logs.ts";
import { mountCommand } from "./commands/container/mount.ts";
import { pauseCommand } from "./commands/container/pause.ts";
import { psCommand } from "./commands/container/ps.ts";
import { refreshCommand } from "./commands/container/refresh.ts";
import { renameCommand } from "./commands/container/rename.ts";
import { restartCommand } from "./commands/container/restart.ts";
import { restoreCommand } from "./commands/container/restore.ts";
import { rmCommand } from "./commands/container/rm.ts";
import { runCommand } from "./commands/container/run.ts";
import { startCommand } from "./commands/container/start.ts";
import { statsCommand } from "./commands/container/stats.ts";
import { stopCommand } from "./commands/container/stop.ts";
import { topCommand } from "./commands/container/top.ts";
import { unmountCommand } from "./commands/container/unmount.ts";
import { unpauseCommand } from "./commands/container/unpause.ts";
import { updateCommand } from "./commands/container/update.ts";
import { waitCommand } from "./commands/container/wait.ts";
import { contextSetCommand } from "./commands/context/set.ts";
import { contextShowCommand } from "./commands/context/show.ts";
import { dockerEnvCommand } from "./commands/docker/env.ts";
import { healthcheckRunCommand } from "./commands/healthcheck/run.ts";
import { hostInspectCommand } from "./commands/host/inspect.ts";
import { hostLsCommand } from "./commands/host/ls.ts";
import { imageLoadCommand } from "./commands/image/load.ts";
import { imageLsCommand } from "./commands/image/ls.ts";
import { opLsCommand } from "./commands/op/ls.ts";
import { opShowCommand } from "./commands/op/show.ts";
import { traceCommand } from "./commands/op/trace.ts";
import { sessionInspectCommand } from "./commands/session/inspect.ts";
import { sessionKillCommand } from "./commands/session/kill.ts";
import { sessionLsCommand } from "./commands/session/ls.ts";
import { sessionReplayCommand } from "./commands/session/replay.ts";
import { sessionResumeCommand } from "./commands/session/resume.ts";
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
    .version(`podfleet version ${version}`, "-v, --version", "show this program's version")
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
    noun("artifact", "Files that are kept with containers", [
      artifactAddCommand(shell),
      artifactGetCommand(shell),
      artifactLsCommand(shell),
      artifactRmCommand(shell),
    ]),
    noun("healthcheck", "Healthchecks of containers", [healthcheckRunCommand(shell)]),
    noun("image", "Images", [imageLoadCommand(shell), imageLsCommand(shell, "ls")]),
    noun("host", "Hosts of the fleet", [hostLsCommand(shell), hostInspectCommand(shell)]),
    noun("op", "Operations: every change that was asked for, and what came of it", [
      opLsCommand(shell),
      opShowCommand(shell),
      traceCommand(shell),
    ]),
    noun("session", "Sessions: who is attached to which command", [
      sessionLsCommand(shell),
      sessionResumeCommand(shell),
      sessionKillCommand(shell),
      sessionReplayCommand(shell),
      sessionInspectCommand(shell),
    ]),
    noun("context", "Which control plane to call", [
      contextShowCommand(shell),
      contextSetCommand(shell),
    ]),
    noun("docker", "Docker's own CLI for the containers of the fleet", [dockerEnvCommand(shell)]),
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
