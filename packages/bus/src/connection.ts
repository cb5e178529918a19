/**
 * A process's connection to NATS: one link for control messages and one for bulk bytes, because a slow reader
 * stalls everything else on its link.
 *
 * Links reconnect forever. A link that goes down fails the requests under way and refuses new ones at once, so no caller waits for a
 * reply that was lost.
 */
import { type Link, type LinkEvent, openLink } from "./link.ts";

export interface BusOptions {
  readonly servers: string | readonly string[];
  /** Text of a `.creds` file. */
  readonly credentials: string;
  /** The role's inbox prefix in protocol/subject; the server refuses any other. */
  readonly inboxPrefix: string;
  /** Shown in the server's list of connections. */
  readonly name: string;
  /** Time after which `connectBus` gives up; 10 s when absent. */
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

  /** Whether the control link is up. */
  get connected(): boolean {
    return this.control.connected;
  }

  /** Calls `listener` with each later event. @returns a function that ends this */
  onEvent(listener: (event: BusEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: BusEvent): void {
    emit(this.#listeners, event);
  }

  /** Drains both links and closes them, within 2 s. */
  async close(): Promise<void> {
    await Promise.all([this.control.close(), this.bulk.close()]);
  }
}

function emit(listeners: Listeners, event: BusEvent): void {
  for (const listener of listeners) listener(event);
}
