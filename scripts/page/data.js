"use strict";
// The runs: unpacked once, and looked up by case and phase. A figure that is not there is null, never 0.

const NUMBERS = new Set([
  "stack_bytes",
  "parallel",
  "samples",
  "median",
  "ci_low",
  "ci_high",
  "precision",
  "min",
  "mean",
  "stddev",
  "p90",
  "p99",
  "max",
  "outliers_mild",
  "outliers_severe",
  "delta",
  "delta_low",
  "delta_high",
]);

/** The fields of a line of CSV; a quoted one may hold commas and doubled quotes. */
function fieldsOf(line) {
  if (!line.includes('"')) return line.split(",");
  const fields = [];
  for (const [, quoted, plain] of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g))
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
  return fields;
}

function rowsOf(csv) {
  const [header, ...lines] = csv.split("\n").filter((line) => line);
  const names = header.split(",");
  return lines.map((line) => {
    const row = {};
    fieldsOf(line).forEach((field, index) => {
      const name = names[index];
      row[name] = NUMBERS.has(name) ? (field === "" ? null : Number(field)) : field;
    });
    return row;
  });
}

async function unpacked() {
  const packed = Uint8Array.from(atob(document.getElementById("data").textContent.trim()), (letter) =>
    letter.charCodeAt(0),
  );
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = await new Response(stream).json();
  for (const run of data.runs) {
    run.rows = rowsOf(run.csv);
    run.at = new Map(run.rows.map((row) => [row.case + " " + row.phase, row]));
  }
  return data;
}

/** A row that has figures, or undefined. */
function rowAt(run, name, phase) {
  const row = run && name ? run.at.get(name + " " + phase) : undefined;
  return row && row.median !== null ? row : undefined;
}

const FLAGS = () => Object.keys(DATA.kinds);
const flagsOf = (set) => (set === "none" ? [] : set.split("-"));
const setOf = (flags) =>
  FLAGS()
    .filter((flag) => flags.includes(flag))
    .join("-") || "none";
const labelOf = (set) =>
  set === "none"
    ? "none"
    : set === DATA.all
      ? "all eight"
      : flagsOf(set)
          .map((flag) => DATA.kinds[flag] ?? flag)
          .join("+");

/** The set's row of the operation's plain cases. */
function setRow(run, operation, set, phase) {
  return rowAt(run, run?.operations[operation]?.sets[set], phase);
}

/** none, each kind and all eight, as far as the run has them and the reader has chosen them. */
function chosenSets(run, operation) {
  const there = run?.operations[operation]?.sets ?? {};
  const named = ["none", ...FLAGS(), DATA.all].filter((set) => set in there);
  return (named.length ? named : Object.keys(there).slice(0, 10)).filter(isChosen);
}

const isChosen = (set) => set === DATA.all || flagsOf(set).every((flag) => STATE.kinds.has(flag));

function threeDigits(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(3));
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded))));
  return rounded.toFixed(Math.min(places, 12)).replace("-", "−");
}

/** A time with its unit, for a text. */
function timeText(value, clock) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const steps =
    clock === "instructions"
      ? [
          [1e9, "G instr."],
          [1e6, "M instr."],
          [1e3, "k instr."],
          [1, "instr."],
        ]
      : [
          [1e9, "s"],
          [1e6, "ms"],
          [1e3, "µs"],
          [1, "ns"],
        ];
  const [scale, unit] = steps.find(([least]) => Math.abs(value) >= least * 0.9995) ?? steps.at(-1);
  return threeDigits(value / scale) + " " + unit;
}

function bytesText(value) {
  const [scale, unit] = [
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
const escaped = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
