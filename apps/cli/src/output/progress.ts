/** How far a transfer is: a bar that is redrawn on a terminal, a line at its beginning and end elsewhere. */
import { humanSize } from "./quantity.ts";
import type { Output } from "./terminal.ts";

const redrawMs = 100;
const barLength = 24;

export class Progress {
  readonly #output: Output;
  readonly #label: string;
  /** Undefined when it is not known beforehand. */
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

  /** Never waits: a drawing that a slow terminal has not taken yet is followed by the next one. */
  update(bytes: number): void {
    this.#bytes = bytes;
    const nowMs = performance.now();
    if (!this.#output.isTerminal || nowMs - this.#drawnMs < redrawMs) return;
    this.#drawnMs = nowMs;
    void this.#output.write(`\r\u001b[2K${this.#line()}`);
  }

  /** Leaves one line that says what was transferred, or none after a failure. */
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
