/**
 * A process's connection to NATS: one link for control messages and one for bulk bytes, because a reader that is slow
 * on a link stalls everything that is published on it.
 *
 * Links reconnect for ever. A link that is down refuses requests at once and fails those under way, so no caller waits
 * for a reply that was lost with the link.
 */
import { type Link, type LinkEvent, openLink } from "./link.ts";

export interface BusOptions {
  readonly servers: string | readonly string[];
  /** Text of a `.creds` file. */
  readonly credentials: string;
  /** From protocol/subject; the server refuses any other. */
  readonly inboxPrefix: string;
  /** Shown in the server's list of connections. */
  readonly name: string;
  /** How long to try before `connectBus` gives up; 10 s when absent. */
  readonly connectTimeoutMs?: number;
  readonly onEvent?: (event: BusEvent) => void;
}

export type BusEvent = LinkEvent & { readonly link: "control" | "bulk" };

type Listeners = Set<(event: BusEvent) => void>;

/** @throws PodfleetError UNAVAILABLE when no server has accepted the connection in time */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const listeners: Listeners = new Set(options.onEvent ? [options.onEvent] : []);
  const deadline = Date.now() + (options.connectTimeoutMs ?? 10_000);
  const open = async (link: BusEvent["link"]): Promise<Link> =>
    await openLink({
      servers: options.servers,
      credentials: options.credentials,
      inboxPrefix: options.inboxPrefix,
      name: `${options.name} ${link}`,
      deadline,
      onEvent: (event) => emit(listeners, { ...event, link }),
    });
  const control = await open("control");
  try {
    return new Bus(control, await open("bulk"), listeners);
  } catch (error) {
    await control.close();
    throw error;
  }
}

export class Bus {
  readonly control: Link;
  readonly bulk: Link;
  readonly #listeners: Listeners;

  constructor(control: Link, bulk: Link, listeners: Listeners) {
    this.control = control;
    this.bulk = bulk;
    this.#listeners = listeners;
  }

  /** Whether control messages get through to the server at present. */
  get connected(): boolean {
    return this.control.connected;
  }

  /** Calls `listener` with each later event; returns what ends that. */
  onEvent(listener: (event: BusEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: BusEvent): void {
    emit(this.#listeners, event);
  }

  /** Sends what is under way and closes, within 2 s. */
  async close(): Promise<void> {
    await Promise.all([this.control.close(), this.bulk.close()]);
  }
}

function emit(listeners: Listeners, event: BusEvent): void {
  for (const listener of listeners) listener(event);
}
