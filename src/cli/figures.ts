const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `1,929` */
export function countText(count: number | bigint): string {
  return whole.format(count);
}

/** `1,929 rows`, `1 row` */
export function countOf(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** `12.4 MB`; 1 MB is 2^20 bytes, as in `--memory`. */
export function bytesText(bytes: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? whole.format(value) : value.toFixed(1)} ${units[unit] ?? ""}`;
}

/** `0.42 s`, `12 s`, `3 min 20 s` */
export function durationText(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** An estimate: whole seconds at best. */
export function roughDurationText(ms: number): string {
  return ms < 60_000 ? `${Math.max(1, Math.round(ms / 1000))} s` : durationText(ms);
}

/** `4,760` of `count` in `ms`; whole units a second. */
export function perSecond(count: number, ms: number): number {
  return Math.round(count / Math.max(ms / 1000, 0.001));
}

/** `0.3 %`; a few are not shown as none, nor nearly all as all. */
export function percentText(part: number, all: number): string {
  const percent = (100 * part) / Math.max(1, all);
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  if (percent < 100 && percent > 99.9) return "> 99.9 %";
  return `${percent.toFixed(percent === 0 || percent === 100 ? 0 : 1)} %`;
}
