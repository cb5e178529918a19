import type { ContainerSummary } from "@podfleet/model/container/record";

import { dockerState, dockerStatus } from "./container-state.ts";

/** An element of `GET /containers/json`; `Host` is an extension: the container's host. */
export function listedContainer(container: ContainerSummary, nowMs: number) {
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: container.image,
    ImageID: container.imageId ?? "",
    Command: commandLine(container.command),
    Created: Math.floor(Date.parse(container.createdAt) / 1000),
    Ports: [],
    Labels: container.labels,
    State: dockerState(container),
    Status: dockerStatus(container, nowMs),
    HostConfig: {},
    NetworkSettings: { Networks: {} },
    Mounts: [],
    Host: { Name: container.host.name, State: container.host.state },
  };
}

function commandLine([path = "", ...args]: readonly string[]): string {
  return [path, ...args.map((arg) => (arg.includes(" ") ? `'${arg}'` : arg))].join(" ");
}
