import { PodfleetError } from "@podfleet/model/errors";

import { type RelayedClient, relaySession, type RelayServices } from "./relay.ts";

/** The most connections that a replica holds at once. */
const connectionsMax = 4_096;

/** All connections to sessions that this replica relays. */
export class SessionRelay {
  readonly #services: RelayServices;
  #connections = 0;

  constructor(services: RelayServices) {
    this.#services = services;
  }

  /** @throws PodfleetError UNAVAILABLE when this replica holds its maximum */
  assertRoom(): void {
    if (this.#connections < connectionsMax) return;
    throw new PodfleetError(
      "UNAVAILABLE",
      `Cannot open a stream: this replica of the control plane holds ${connectionsMax}, as many as it may`,
    );
  }

  /** Relays the client's connection until it ends. @throws PodfleetError UNAVAILABLE when there is no room */
  take(client: RelayedClient): void {
    this.assertRoom();
    this.#connections += 1;
    void relaySession(this.#services, client).finally(() => {
      this.#connections -= 1;
    });
  }
}
