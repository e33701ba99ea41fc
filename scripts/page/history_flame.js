"use strict";
// How any two kernels of the history differ in a case, as a flame graph of their recorded stacks.

const historyKernel = (name) => HISTORY.kernels.find((kernel) => kernel.name === name);

/** What a kernel is asked for by: a package by its version, a file by its name. */
const historyAsked = (name) => historyKernel(name).version || name;

/** By case its phases, in which any kernel has stacks, or the history has rows. */
function historyParts() {
  const found = new Map();
  const add = (name, phase) => found.set(name, (found.get(name) ?? new Set()).add(phase));
  for (const cases of Object.values(HISTORY.stacks))
    for (const [name, phases] of Object.entries(cases)) Object.keys(phases).forEach((phase) => add(name, phase));
  for (const [phase, cases] of Object.entries(HISTORY.rows)) Object.keys(cases).forEach((name) => add(name, phase));
  return found;
}

/** The command that makes what is missing. */
function historyCommand(kernels, name) {
  const named = kernels.map(historyAsked).join(",");
  const files = kernels.every((one) => historyKernel(one).version) ? "" : " --images=… (or --tree)";
  return `scripts/lab.py history${files} --stacks=${named} -- --case=${name}`;
}

/** The tree of how the two differ; or in a string why there is none. */
function historyDifference(from, to, name, phase) {
  const stacks = [from, to].map((kernel) => HISTORY.stacks[kernel]?.[name]);
  const missing = [...new Set([from, to].filter((_, index) => !stacks[index]))];
  if (missing.length)
    return `No stacks of ${name} are kept of ${missing.join(" and ")}: ${historyCommand(missing, name)} makes them.`;
  const [before, after] = stacks.map((phases) => phases[phase]);
  if (!before || !after)
    return `A profile of ${name} has no phase ${phase} in ${before ? to : from}; it has ${Object.keys((before ? stacks[1] : stacks[0])).join(", ")}.`;
  if (before.plan !== after.plan)
    return `The two were measured by different plans, and are not held against each other: the history must be measured by one plan first, and their stacks made anew by it.`;
  return { tree: changed(before.tree, after.tree), before: before.tree };
}

function drawHistoryFlame() {
  const [from, to, name, phase] = ["history-from", "history-to", "history-case", "history-part"].map((id) => historyById(id).value);
  const found = historyDifference(from, to, name, phase);
  const said = historyById("flame-change");
  said.hidden = typeof found === "string";
  historyById("flame-of").textContent = said.hidden ? "" : `Frames of less than ${HISTORY.least * 100}% are left out.`;
  if (said.hidden) {
    emptyFlame(found);
    return;
  }
  said.textContent = changeText(found.tree, found.before, { from, to, clock: "instructions" });
  drawFrames(found.tree, "instructions");
}

/** The kernels that a chosen step is between, and its row. */
function chooseHistoryFlame({ from, to, rows }) {
  historyById("history-from").value = from;
  historyById("history-to").value = to;
  historyById("history-case").value = rows[0].case;
  offerHistoryParts(rows[0].phase);
  drawHistoryFlame();
}

/** The phases of the case that is chosen. */
function offerHistoryParts(chosen = historyById("history-part").value) {
  const phases = [...historyParts().get(historyById("history-case").value)];
  historyById("history-part").replaceChildren(...phases.map((phase) => new Option(phase, phase)));
  historyById("history-part").value = phases.includes(chosen) ? chosen : phases[0];
}

function startHistoryFlame() {
  const kernels = HISTORY.kernels.map(({ name, short, compiler }) => {
    const text = [short, compiler].filter(Boolean).join(", ");
    return [name, HISTORY.stacks[name] ? text : `${text} (no stacks)`];
  });
  for (const id of ["history-from", "history-to"])
    historyById(id).append(...kernels.map(([name, text]) => new Option(text, name)));
  historyById("history-case").append(...[...historyParts().keys()].map((name) => new Option(name, name)));
  const there = HISTORY.kernels.filter(({ name }) => HISTORY.stacks[name]).map(({ name }) => name);
  historyById("history-from").value = there[0] ?? HISTORY.kernels[0].name;
  historyById("history-to").value = there.at(-1) ?? HISTORY.kernels.at(-1).name;
  offerHistoryParts("create");
  for (const id of ["history-from", "history-to", "history-part"]) historyById(id).addEventListener("change", drawHistoryFlame);
  historyById("history-case").addEventListener("change", () => {
    offerHistoryParts();
    drawHistoryFlame();
  });
  historyById("flame").addEventListener("keydown", moveInFlame);
  historyById("flame-find").addEventListener("input", ({ target }) => (target.value ? flame?.search(target.value) : flame?.clear()));
  historyById("flame-reset").addEventListener("click", () => flame?.resetZoom());
  addEventListener("resize", () => historyById("flame").clientWidth !== flameWidth && drawHistoryFlame());
  drawHistoryFlame();
  document.documentElement.dataset.ready = "yes";
}

if (HISTORY.kernels.length) startHistoryFlame();
