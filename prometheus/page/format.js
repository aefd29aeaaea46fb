// Numbers in words that people read, for the units that dashboard.json uses.

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];

/**
 * @param {number} value
 * @param {string} unit one of Grafana's
 * @param {number} [decimals]
 * @returns {string}
 */
export function shown(value, unit, decimals) {
  switch (unit) {
    case "percentunit":
      return `${plain(value * 100, decimals ?? 1)} %`;
    case "currencyUSD":
      return `$${plain(value, decimals ?? (Math.abs(value) < 1 ? 4 : 2))}`;
    case "bytes": {
      const power = value > 0 ? Math.min(Math.floor(Math.log2(value) / 10), BYTES.length - 1) : 0;
      return `${plain(value / 1024 ** Math.max(power, 0), decimals ?? 1)} ${BYTES[Math.max(power, 0)]}`;
    }
    case "s":
      return value < 1 && value > 0 ? `${plain(value * 1000, 0)} ms` : `${plain(value, decimals ?? 2)} s`;
    case "reqpm":
      return `${plain(value, decimals ?? 2)} a minute`;
    default:
      return plain(value, decimals ?? 2);
  }
}

/**
 * @param {number} value
 * @param {number} decimals at most
 * @returns {string}
 */
function plain(value, decimals) {
  return value.toLocaleString("en", { maximumFractionDigits: decimals });
}

/**
 * @param {number} time seconds since 1970
 * @param {number} range seconds that are shown
 * @returns {string} with the day where more than one is shown
 */
export function clock(time, range) {
  const at = new Date(time * 1000);
  const hour = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (range <= 86_400) return hour;
  return `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${hour}`;
}

/**
 * @param {number} value
 * @param {string} unit bytes are counted in powers of 1024
 * @returns {number} the least of 1, 2, 5 times a power of ten that is not below it
 */
export function roundUp(value, unit = "none") {
  if (!(value > 0)) return 1;
  const kibi = unit === "bytes" ? 1024 ** Math.floor(Math.log2(Math.max(value, 1)) / 10) : 1;
  return kibi * rounded(value / kibi);
}

/**
 * @param {number} value
 * @returns {number}
 */
function rounded(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((each) => each * power >= value * (1 - 1e-9)) ?? 10;
  return factor * power;
}
