/** Sizes and durations as podman prints them. */

const decimalUnits = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `4.42 MB`: three digits, powers of 1000; used for images and files. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < decimalUnits.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(3))} ${decimalUnits[unit] ?? ""}`;
}

/** `512 MiB`: powers of 1024; used for memory. */
export function humanMemory(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toPrecision(3))} ${units[unit] ?? ""}`;
}

/** `12s`, `3m`, `2h`, `4d`: a short age. */
export function shortAge(time: string, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(time)) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** `1h2m3.45s`: elapsed time as Go prints it. */
export function preciseElapsed(durationMs: number): string {
  const hours = Math.floor(durationMs / 3_600_000);
  const minutes = Math.floor((durationMs % 3_600_000) / 60_000);
  const seconds = Number(((durationMs % 60_000) / 1000).toFixed(3));
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

/** `850µs`, `12.3ms`, `1.25s`: a measured duration. */
export function preciseDuration(durationMs: number): string {
  if (durationMs < 1) return `${Math.round(durationMs * 1000)}µs`;
  if (durationMs < 1000) return `${Number(durationMs.toPrecision(3))}ms`;
  return `${Number((durationMs / 1000).toPrecision(3))}s`;
}
