import { hostIdSchema, imageIdSchema } from "@podfleet/model/ids";
import { isNotDelivered } from "@podfleet/model/operation";
import { placementSchema } from "@podfleet/model/placement";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { CandidateHost } from "./candidate-host.ts";
import { place } from "./place.ts";
import type { PlacementRequest } from "./placement-request.ts";
import { findRejection } from "./rejection.ts";

const GiB = 1024 ** 3;
const busybox = {
  id: imageIdSchema.parse(`sha256:${"ab".repeat(32)}`),
  names: ["docker.io/library/busybox:latest"],
};

function host(number: number, overrides: Partial<CandidateHost> = {}): CandidateHost {
  return {
    id: hostIdSchema.parse(number.toString(16).padStart(16, "0")),
    name: `host-${number}`,
    state: "ready",
    labels: {},
    capacity: { cpuMillis: 4000, memoryBytes: 8 * GiB },
    reserved: { cpuMillis: 0, memoryBytes: 0 },
    containers: 0,
    images: [busybox],
    ...overrides,
  };
}

function request(
  placement: Parameters<typeof placementSchema.parse>[0] = {},
  overrides: Partial<PlacementRequest> = {},
): PlacementRequest {
  return {
    reservation: { cpuMillis: 1000, memoryBytes: GiB },
    placement: placementSchema.parse(placement),
    image: "busybox",
    dependencies: [],
    ...overrides,
  };
}

const nothing = { reservation: { cpuMillis: 0, memoryBytes: 0 } };
const half = { reserved: { cpuMillis: 2000, memoryBytes: 4 * GiB }, containers: 2 };
const quarter = { reserved: { cpuMillis: 1000, memoryBytes: 2 * GiB }, containers: 1 };

describe("the chosen host", () => {
  const labelled = [
    host(1, { labels: { disk: "ssd", zone: "a" } }),
    host(2, { labels: { disk: "hdd" } }),
    host(3),
  ];
  test.each<[string, PlacementRequest, readonly CandidateHost[], string]>([
    ["spread takes the emptiest", request(), [host(1, half), host(2, quarter)], "host-2"],
    [
      "binpack takes the fullest that fits",
      request({ strategy: "binpack" }),
      [host(1, half), host(2, quarter), host(3, { reserved: { cpuMillis: 3500, memoryBytes: 0 } })],
      "host-1",
    ],
    [
      "spread weighs shares, not amounts",
      request(),
      [
        host(1, { ...quarter }),
        host(2, { capacity: { cpuMillis: 64_000, memoryBytes: 64 * GiB }, ...half }),
      ],
      "host-2",
    ],
    [
      "containers without reservations spread by number",
      request({}, nothing),
      [host(1, { containers: 3 }), host(2, { containers: 1 })],
      "host-2",
    ],
    ["a tie goes to the first name", request(), [host(3), host(1), host(2)], "host-1"],
    ["a host by name", request({ host: "host-2" }), [host(1), host(2)], "host-2"],
    ["a host by id", request({ host: "0000000000000002" }), [host(1), host(2)], "host-2"],
    ["label equal", request({ constraints: ["host.labels.disk==hdd"] }), labelled, "host-2"],
    [
      "label equal, with spaces",
      request({ constraints: ["host.labels.disk == ssd"] }),
      labelled,
      "host-1",
    ],
    [
      "label not equal takes hosts without the label",
      request({ constraints: ["host.labels.disk!=ssd", "host.name!=host-2"] }),
      labelled,
      "host-3",
    ],
    ["id equal", request({ constraints: ["host.id==0000000000000003"] }), labelled, "host-3"],
    [
      "beside the container it depends on",
      request({}, { dependencies: [{ name: "db", hostId: host(2).id }] }),
      [host(1), host(2, half)],
      "host-2",
    ],
    [
      "an unreachable host is passed over",
      request(),
      [host(1, { state: "unreachable" }), host(2, half)],
      "host-2",
    ],
    [
      "exactly what is left fits",
      request({}, { reservation: { cpuMillis: 2000, memoryBytes: 4 * GiB } }),
      [host(1, half)],
      "host-1",
    ],
  ])("%s", (_name, wanted, hosts, expected) => {
    const decision = place(wanted, hosts);
    expect("host" in decision ? decision.host.name : decision.error.message).toBe(expected);
  });
});

describe("the refusal", () => {
  test.each<[string, PlacementRequest, readonly CandidateHost[], string, string]>([
    [
      "no hosts",
      request(),
      [],
      "NO_HOST_FITS",
      "Cannot place the container: no host has joined the fleet",
    ],
    [
      "each host has its own reason",
      request({ constraints: ["host.labels.zone==a"] }),
      [
        host(4, { labels: { zone: "a" }, reserved: { cpuMillis: 3500, memoryBytes: 0 } }),
        host(1, { state: "unreachable" }),
        host(2, { labels: { zone: "b" } }),
        host(3),
        host(5, { labels: { zone: "a" }, images: [] }),
        host(6, { labels: { zone: "a" }, reserved: { cpuMillis: 0, memoryBytes: 7.5 * GiB } }),
      ],
      "NO_HOST_FITS",
      "Cannot place the container: host-1: its agent does not answer; " +
        'host-2: host.labels.zone is "b", must be == "a"; ' +
        'host-3: host.labels.zone is not set, must be == "a"; ' +
        "host-4: needs 1 CPUs, 0.5 of 4 are free; " +
        'host-5: image "busybox" is not loaded; ' +
        "host-6: needs 1073741824 bytes of memory, 536870912 of 8589934592 are free",
    ],
    [
      "more than any host has",
      request({}, { reservation: { cpuMillis: 8_192_000, memoryBytes: 0 } }),
      [host(1)],
      "NO_HOST_FITS",
      "Cannot place the container: host-1: needs 8192 CPUs, 4 of 4 are free",
    ],
    [
      "an unknown host",
      request({ host: "nowhere" }),
      [host(1)],
      "HOST_NOT_FOUND",
      'Cannot find host "nowhere"',
    ],
    [
      "a named host that is silent",
      request({ host: "host-1" }),
      [host(1, { state: "unreachable" })],
      "HOST_UNREACHABLE",
      'Cannot reach host "host-1": its agent does not answer',
    ],
    [
      "an image that no host has",
      request({}, { image: "nginx" }),
      [host(2), host(1)],
      "IMAGE_NOT_FOUND",
      'Cannot find image "nginx": it is loaded on none of the hosts host-1, host-2',
    ],
    [
      "an image that the named host lacks",
      request({ host: "host-1" }),
      [host(1, { images: [] }), host(2)],
      "IMAGE_NOT_FOUND",
      'Cannot find image "busybox": it is loaded on none of the hosts host-1',
    ],
    [
      "an image that only a silent host has",
      request(),
      [host(1, { state: "unreachable" }), host(2, { images: [] })],
      "NO_HOST_FITS",
      'Cannot place the container: host-1: its agent does not answer; host-2: image "busybox" is not loaded',
    ],
    [
      "dependencies on two hosts",
      request(
        {},
        {
          dependencies: [
            { name: "db", hostId: host(1).id },
            { name: "cache", hostId: host(2).id },
          ],
        },
      ),
      [host(1), host(2)],
      "NO_HOST_FITS",
      'Cannot place the container: host-1: dependency "cache" is on another host; host-2: dependency "db" is on another host',
    ],
  ])("%s", (_name, wanted, hosts, code, message) => {
    const decision = place(wanted, hosts);
    expect("error" in decision ? decision.error : decision.host).toMatchObject({ code, message });
  });

  test("what a silent host has not taken may be asked for anew", () => {
    const decision = place(request({ host: "host-1" }), [host(1, { state: "unreachable" })]);
    expect("error" in decision && isNotDelivered(decision.error)).toBe(true);
  });

  test("details name each host and its reason", () => {
    const decision = place(request(), [host(1, { state: "unreachable" })]);
    expect("error" in decision && decision.error.details).toEqual({
      hosts: [
        {
          host: { id: host(1).id, name: "host-1" },
          reason: "unreachable",
          message: "its agent does not answer",
        },
      ],
    });
  });
});

describe("for any fleet", () => {
  const capacities = fc.record({
    cpuMillis: fc.integer({ min: 0, max: 8000 }),
    memoryBytes: fc.integer({ min: 0, max: 16 * GiB }),
  });
  const fleets = fc
    .array(
      fc.record({
        state: fc.constantFrom("ready" as const, "unreachable" as const),
        labels: fc.constantFrom({}, { zone: "a" }, { zone: "b" }),
        capacity: capacities,
        reserved: capacities,
        containers: fc.nat(10),
        images: fc.constantFrom([], [busybox]),
      }),
      { maxLength: 8 },
    )
    .map((hosts) => hosts.map((overrides, index) => host(index + 1, overrides)));
  const requests = fc.record({
    reservation: capacities,
    placement: fc
      .record({
        strategy: fc.constantFrom("spread" as const, "binpack" as const),
        constraints: fc.constantFrom([], ["host.labels.zone==a"], ["host.labels.zone!=a"]),
      })
      .map((placement) => placementSchema.parse(placement)),
    image: fc.constant("busybox"),
    dependencies: fc.constant([]),
  });

  test("a chosen host fits, and a refusal means that none does", () => {
    fc.assert(
      fc.property(requests, fleets, (wanted, hosts) => {
        const decision = place(wanted, hosts);
        const fitting = hosts.filter((each) => findRejection(wanted, each) === undefined);
        const isRight = "host" in decision ? fitting.includes(decision.host) : fitting.length === 0;
        expect(isRight).toBe(true);
      }),
    );
  });

  test("reservations never exceed the capacity of the chosen host", () => {
    fc.assert(
      fc.property(requests, fleets, (wanted, hosts) => {
        const decision = place(wanted, hosts);
        if (!("host" in decision)) return;
        const { capacity, reserved } = decision.host;
        for (const key of ["cpuMillis", "memoryBytes"] as const) {
          if (wanted.reservation[key] === 0) continue;
          expect(reserved[key] + wanted.reservation[key]).toBeLessThanOrEqual(capacity[key]);
        }
      }),
    );
  });

  test("the order of the hosts does not matter", () => {
    fc.assert(
      fc.property(requests, fleets, fc.infiniteStream(fc.nat()), (wanted, hosts, keys) => {
        const shuffled = hosts
          .map((each) => ({ each, key: keys.next().value ?? 0 }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ each }) => each);
        const [first, second] = [place(wanted, hosts), place(wanted, shuffled)];
        expect("host" in first ? first.host.id : first.error.message).toEqual(
          "host" in second ? second.host.id : second.error.message,
        );
      }),
    );
  });

  test("a refusal by NO_HOST_FITS lists every host once", () => {
    fc.assert(
      fc.property(requests, fleets, (wanted, hosts) => {
        const decision = place(wanted, hosts);
        if (!("error" in decision) || decision.error.code !== "NO_HOST_FITS") return;
        const listed = decision.error.details?.["hosts"];
        expect(listed).toHaveLength(hosts.length);
      }),
    );
  });
});
