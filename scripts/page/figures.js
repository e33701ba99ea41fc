"use strict";
/* How figures are written, as src/report/format.cpp and scripts/analysis/kinds.py do: format_vectors.csv holds the three
   together. */

/** The three significant digits of a figure greater than zero, and the power of ten of the first; a half is rounded up. */
function rounded(size) {
  const exponent = Math.floor(Math.log10(size));
  const digits = Math.floor((exponent >= 2 ? size / 10 ** (exponent - 2) : size * 10 ** (2 - exponent)) + 0.5);
  return digits >= 1000 ? [Math.floor(digits / 10), exponent + 1] : [digits, exponent];
}

/** The digits with so many of them behind the point, and the value's sign. */
function written(value, digits, places) {
  const text = places > 0 ? (digits / 10 ** places).toFixed(places) : String(digits * 10 ** -places);
  return value < 0 ? "−" + text : text;
}

function threeDigits(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const [digits, exponent] = rounded(Math.abs(value));
  return written(value, digits, 2 - exponent);
}

/** A time with its unit, for a text: that which the rounded figure is in. */
function timeText(value, clock) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const units =
    clock === "instructions" ? [" instr.", " k instr.", " M instr.", " G instr."] : [" ns", " µs", " ms", " s"];
  if (value === 0) return "0" + units[0];
  const [digits, exponent] = rounded(Math.abs(value));
  const thousands = Math.min(Math.max(Math.floor(exponent / 3), 0), units.length - 1);
  return written(value, digits, 2 - (exponent - 3 * thousands)) + units[thousands];
}

/** A ratio as a change: 1.05 is +5.0%; from a doubling or a half on ×2.00, ×1408; ? for none. */
function changeOf(ratio) {
  if (!(ratio >= 0) || ratio === Infinity) return "?";
  if (ratio > 0.5 && ratio < 2) {
    const percent = Math.floor(1000 * Math.abs(ratio - 1) + 0.5) / 10;
    return (ratio >= 1 || percent === 0 ? "+" : "−") + percent.toFixed(1) + "%";
  }
  for (const [least, places] of [
    [100, 0],
    [10, 1],
    [0.1, 2],
  ])
    if (ratio >= least) return "×" + (Math.floor(ratio * 10 ** places + 0.5) / 10 ** places).toFixed(places);
  return "×" + threeDigits(ratio);
}

/** As timeText, without the name of instructions: 141 k. */
const shortTime = (value, clock) => timeText(value, clock).replace(/ instr\.$/, "");

function bytesText(value) {
  const [scale, unit] = [
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"],
  ].find(([least]) => Math.abs(value) >= least) ?? [1, "B"];
  return threeDigits(value / scale) + " " + unit;
}

function sizeText(value) {
  const [scale, unit] = [
    [2 ** 30, "G"],
    [2 ** 20, "M"],
    [2 ** 10, "K"],
  ].find(([least]) => value >= least && value % least === 0) ?? [1, ""];
  return value / scale + unit;
}

const unitOf = (clock) => (clock === "instructions" ? "thousand instructions" : "µs");
const shortUnitOf = (clock) => (clock === "instructions" ? "k instr." : "µs");
