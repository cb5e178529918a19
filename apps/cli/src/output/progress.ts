/** Progress of a transfer: a progress bar on a terminal, else one line at the start and one at the end. */
import type { Output } from "./output.ts";
import { humanSize } from "./quantity.ts";

const redrawMs = 100;
const barLength = 24;

export class Progress {
  readonly #output: Output;
  readonly #label: string;
  /** Undefined when the size is not known in advance. */
  readonly #total: number | undefined;
  readonly #startedMs = performance.now();
  #drawnMs = Number.NEGATIVE_INFINITY;
  #bytes = 0;

  constructor(output: Output, transfer: { readonly label: string; readonly total?: number }) {
    this.#output = output;
    this.#label = transfer.label;
    this.#total = transfer.total;
  }

  async begin(): Promise<void> {
    if (this.#output.isTerminal) return;
    const size = this.#total === undefined ? "" : ` (${humanSize(this.#total)})`;
    await this.#output.print(`${this.#label}${size}`);
  }

  /** Redraws the bar without waiting for the terminal. */
  update(bytes: number): void {
    this.#bytes = bytes;
    const nowMs = performance.now();
    if (!this.#output.isTerminal || nowMs - this.#drawnMs < redrawMs) return;
    this.#drawnMs = nowMs;
    void this.#output.write(`\r\u001b[2K${this.#line()}`);
  }

  /** Prints a summary after a success; clears the bar in any case. */
  async end(succeeded: boolean): Promise<void> {
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(1);
    const summary = `${this.#label}: ${humanSize(this.#bytes)} in ${seconds} s`;
    if (this.#output.isTerminal) await this.#output.write("\r\u001b[2K");
    if (succeeded) await this.#output.print(summary);
  }

  #line(): string {
    const seconds = (performance.now() - this.#startedMs) / 1000;
    const rate = `${humanSize(Math.round(this.#bytes / Math.max(seconds, 0.1)))}/s`;
    if (!this.#total) return `${this.#label}  ${humanSize(this.#bytes)}  ${rate}`;
    const share = Math.min(1, this.#bytes / this.#total);
    const bar = "█".repeat(Math.round(share * barLength)).padEnd(barLength, "░");
    const percent = String(Math.floor(share * 100)).padStart(3);
    return `${this.#label}  ${bar} ${percent}%  ${humanSize(this.#bytes)} of ${humanSize(this.#total)}  ${rate}`;
  }
}
