"use strict";
// The runs: unpacked once, and looked up by case and phase. A figure that is not there is null, never 0.

/** The fields of a line of CSV; a quoted one may hold commas and doubled quotes. */
function fieldsOf(line) {
  if (!line.includes('"')) return line.split(",");
  const fields = [];
  // Each has a comma before it, also the first: an empty match would take the next one's.
  for (const [, quoted, plain] of `,${line}`.matchAll(/,(?:"((?:[^"]|"")*)"|([^",]*))/g))
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
  return fields;
}

/** The lines of results.csv, whose columns the dictionary describes: one with a unit holds numbers. */
function rowsOf(csv, dictionary) {
  const [header, ...lines] = csv.split("\n").filter((line) => line);
  const names = header.split(",");
  return lines.map((line) => {
    const row = {};
    fieldsOf(line).forEach((field, index) => {
      const name = names[index];
      row[name] = dictionary[name]?.unit ? (field === "" ? null : Number(field)) : field;
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
    run.rows = rowsOf(run.csv, data.dictionary);
    run.at = new Map(run.rows.map((row) => [row.case + " " + row.phase, row]));
    run.probe = data.probes[run.probed] ?? null;
    run.stacks = data.stacks[run.stacked]?.trees ?? {};
  }
  return data;
}

/** The run that is shown, where it has what is asked for; else another of its clock that has. */
function holder(has) {
  const others = DATA.runs.filter((run) => run.clock === STATE.clock);
  return [STATE.first, STATE.second, ...others].find((run) => run && has(run)) ?? STATE.first;
}

/** The runs of the clock and the state that is shown, from the oldest kernel to the newest. */
function byKernel() {
  const place = ({ kernel }) => DATA.kernels.indexOf(kernel);
  return DATA.runs
    .filter((run) => run.clock === STATE.clock && run.state === STATE.first.state)
    .sort((a, b) => place(a) - place(b));
}

/** 6.1.0-56-cloud-amd64 is 6.1 where that tells it from the others; else all of it. */
function kernelNames(runs) {
  const shorten = (kernel) => kernel.split(".").slice(0, 2).join(".").split("-")[0];
  const kernels = [...new Set(runs.map((run) => run.kernel))];
  const alike = new Set(kernels.map(shorten)).size < kernels.length;
  return runs.map((run) => (alike ? run.kernel : shorten(run.kernel)));
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

const escaped = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
