/**
 * Output of set-up, one line for each step. On a terminal the line of the current step shows its progress; elsewhere progress is printed
 * from time to time on separate lines.
 */
const labelWidth = 18;
const repaintMs = 100;
const plainLineMs = 5_000;

/** @typedef {(text: string) => void} Progress */

/** Ignores a closed standard output (`npm start | head`); the work continues. */
export function tolerateClosedOutput() {
  process.stdout.on("error", (error) => {
    if (!("code" in error) || error.code !== "EPIPE") throw error;
  });
}

/**
 * Runs a step and prints its result, with the duration if it took long.
 * @template {string | { line: string }} T
 * @param {string} label
 * @param {(progress: Progress) => T | Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(label, work) {
  const startedMs = performance.now();
  const display = openDisplay(label);
  try {
    const result = await work(display.progress);
    const seconds = (performance.now() - startedMs) / 1000;
    const line = typeof result === "string" ? result : result.line;
    display.end(seconds < 0.5 ? line : `${line} (${seconds.toFixed(1)} s)`);
    return result;
  } catch (error) {
    display.end("failed");
    throw error;
  }
}

/**
 * `[#####.....]  50 %`
 * @param {number} percent
 */
export function progressBar(percent) {
  const shown = Math.round(Math.min(100, Math.max(0, percent)));
  const filled = Math.round(shown / 5);
  return `[${"#".repeat(filled)}${".".repeat(20 - filled)}] ${String(shown).padStart(3)} %`;
}

/** @param {string} label */
function openDisplay(label) {
  const isTerminal = process.stdout.isTTY === true;
  const intervalMs = isTerminal ? repaintMs : plainLineMs;
  const start = `  ${label.padEnd(labelWidth)}`;
  let shownMs = isTerminal ? 0 : performance.now();
  /** @type {Progress} */
  const progress = (text) => {
    if (performance.now() - shownMs < intervalMs) return;
    shownMs = performance.now();
    const line = `${start}${text}`;
    if (isTerminal) process.stdout.write(`\r\x1b[K${line.slice(0, process.stdout.columns - 1)}`);
    else console.log(line);
  };
  if (isTerminal) progress("...");
  return {
    progress,
    /** @param {string} text */
    end: (text) => console.log(`${isTerminal ? "\r\x1b[K" : ""}${start}${text}`),
  };
}
