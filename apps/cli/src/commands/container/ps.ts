import { humanAge } from "@podfleet/base/human-duration";
import type { ApiInputs } from "@podfleet/client/api";
import type { ContainerSummary } from "@podfleet/model/container/record";
import { containerStates } from "@podfleet/model/container/state";

import type { Command } from "../../command.ts";
import { addListFlags, type ListFlags, listOptions } from "../../flags/format.ts";
import { flagError, parseChoice, parseCount, splitPair } from "../../flags/values.ts";
import { containerStatus } from "../../output/container-status.ts";
import { listedContainer } from "../../output/podman-json.ts";
import { type Columns, joinLabels, printList } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface PsFlags extends ListFlags {
  readonly all: boolean;
  readonly trunc: boolean;
  readonly filter: readonly string[];
  readonly last?: string;
  readonly latest: boolean;
  readonly sort: string;
}

const sortKeys = ["created", "id", "image", "host", "names", "status"] as const;

export function psCommand(shell: Shell): Command {
  const ps = verb(shell, {
    name: "ps",
    description: "List the fleet's containers, newest first",
    examples: [
      "ps",
      "ps --all --filter host=host-2 --filter label=tier=web",
      "ps --all --format names,host,state,exitcode --noheading",
      "ps --format json",
    ],
  })
    .option("-a, --all", "list containers in every state", false)
    .option("--no-trunc", "do not shorten ids and commands")
    .listOption(
      "-f, --filter <key=value>",
      "id, name, label, status or host; values of one key are alternatives",
    )
    .option("-n, --last <number>", "list this many of the newest containers, in any state")
    .option("-l, --latest", "list the newest container, in any state", false)
    .option("--sort <key>", sortKeys.join(", "), "created");
  return addListFlags(ps).action(
    connected(shell, async (client, flags: PsFlags) => {
      const sort = parseChoice("--sort", flags.sort, sortKeys);
      const found = await client.api.containers.list.query(listInput(flags));
      const containers = sorted(found, sort);
      const columns = containerColumns(Date.now(), flags.trunc);
      await printList(shell.stdout, containers, {
        columns,
        shown: ["id", "image", "command", "created", "status", "host", "names"],
        json: (container) => listedContainer(container, Date.now()),
        options: listOptions(flags),
      });
    }),
  );
}

type ListInput = Extract<ApiInputs["containers"]["list"], object>;

function listInput(flags: PsFlags): ListInput {
  const filters = filtersOf(flags.filter);
  const last = flags.latest ? 1 : flags.last === undefined ? 0 : parseCount("--last", flags.last);
  return {
    all: flags.all || last > 0 || filters.state !== undefined,
    filters,
    ...(last > 0 ? { limit: last } : {}),
  };
}

type Filters = NonNullable<ListInput["filters"]>;

/** Parses podman's `--filter`; `status` takes podfleet's container states. */
export function filtersOf(entries: readonly string[]): Filters {
  const filters: Filters = {};
  for (const entry of entries) {
    const [key, value] = splitPair(entry);
    if (!value) throw flagError("--filter", entry, 'must be "KEY=VALUE"');
    switch (key) {
      case "id":
      case "name":
      case "label":
      case "host":
        (filters[key] ??= []).push(value);
        break;
      case "status":
        (filters.state ??= []).push(parseChoice("--filter status=", value, containerStates));
        break;
      default:
        throw flagError("--filter", entry, "KEY must be one of id, name, label, status, host");
    }
  }
  return filters;
}

/** The control plane sorts by creation, newest first. */
function sorted(
  containers: readonly ContainerSummary[],
  key: (typeof sortKeys)[number],
): readonly ContainerSummary[] {
  if (key === "created") return containers;
  const value = {
    id: (container: ContainerSummary) => container.id,
    image: (container: ContainerSummary) => container.image,
    host: (container: ContainerSummary) => container.host.name,
    names: (container: ContainerSummary) => container.name,
    status: (container: ContainerSummary) => container.state,
  }[key];
  return containers.toSorted((one, other) => value(one).localeCompare(value(other)));
}

const commandLengthMax = 20;

function containerColumns(nowMs: number, truncate: boolean): Columns<ContainerSummary> {
  return {
    id: {
      heading: "CONTAINER ID",
      value: ({ id }) => (truncate ? id.slice(0, 12) : id),
    },
    image: { heading: "IMAGE", value: ({ image }) => image },
    command: {
      heading: "COMMAND",
      value: ({ command }) => shortened(command.join(" "), truncate ? commandLengthMax : Infinity),
    },
    created: { heading: "CREATED", value: ({ createdAt }) => humanAge(createdAt, nowMs) },
    status: { heading: "STATUS", value: (container) => containerStatus(container, nowMs) },
    host: { heading: "HOST", value: ({ host }) => host.name },
    names: { heading: "NAMES", value: ({ name }) => name },
    state: { heading: "STATE", value: ({ state }) => state },
    exitcode: { heading: "EXIT CODE", value: ({ exitCode }) => String(exitCode ?? "") },
    pid: { heading: "PID", value: ({ pid }) => String(pid ?? "") },
    restarts: { heading: "RESTARTS", value: ({ restartCount }) => String(restartCount ?? 0) },
    imageid: { heading: "IMAGE ID", value: ({ imageId }) => (imageId ?? "").slice(7, 19) },
    labels: { heading: "LABELS", value: ({ labels }) => joinLabels(labels) },
    createdat: { heading: "CREATED AT", value: ({ createdAt }) => createdAt },
    startedat: { heading: "STARTED AT", value: ({ startedAt }) => startedAt ?? "" },
    finishedat: { heading: "FINISHED AT", value: ({ finishedAt }) => finishedAt ?? "" },
  };
}

function shortened(text: string, lengthMax: number): string {
  return text.length > lengthMax ? `${text.slice(0, lengthMax - 3)}...` : text;
}
