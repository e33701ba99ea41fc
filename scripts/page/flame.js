"use strict";
// The flame graph of a run's stacks, or of how they differ from those of the second run.

/** By how much each part of a case changed, where a profile has several: the call, the way out, the workers. */
function partsText(tree, before, clock) {
  const known = [...document.getElementById("path").options].map((option) => option.value);
  const partOf = (node, name) => childrenOf(node).find((part) => part.name === name);
  const parts = known.filter((name) => partOf(tree, name));
  const change = (name) => partOf(tree, name).value - (partOf(before, name)?.value ?? 0);
  return parts.length < 2 ? "" : `, of which ${parts.map((name) => `${name} ${sign(change(name), clock)}`).join(", ")}`;
}

const stackedRun = () => holder((run) => Object.keys(run.stacks).length);

/** The tree to draw; or in a string why there is none. */
function flameTree() {
  const name = document.getElementById("flame-case").value;
  const first = stackedRun();
  const { second } = STATE;
  const missing = (run) =>
    `${run.name} has no stacks${name ? ` of ${name}` : ""} (nsbench --probe --folded=FILE, where the probe samples, then report.py --folded=FILE; or scripts/lab.py profile --out).`;
  const tree = first.stacks[name];
  if (!tree) return missing(first);
  if (document.getElementById("flame-shown").value === "run") return structuredClone(tree);
  if (!second) return "Choose a second run, at the top: the change is to that one.";
  return second.stacks[name] ? changed(tree, second.stacks[name]) : missing(second);
}

function drawFlame() {
  const tree = flameTree();
  const isTree = typeof tree !== "string";
  const isChange = isTree && "change" in tree;
  const { clock } = STATE.first;
  document.getElementById("flame-of").textContent = isTree
    ? `Stacks of ${DATA.stacks[stackedRun().stacked].name}; frames of less than ${DATA.least * 100}% are left out.`
    : "";
  const said = document.getElementById("flame-change");
  const before = isChange ? stackedRun().stacks[tree.name] : null;
  said.hidden = !isChange;
  said.textContent = isChange
    ? changeText(tree, before, { from: stackedRun().name, to: STATE.second.name, clock, parts: partsText(tree, before, clock) })
    : "";
  if (isTree) drawFrames(tree, clock);
  else emptyFlame(tree);
}

/** A new width takes a new graph. */
function fitFlame() {
  if (document.getElementById("flame").clientWidth !== flameWidth) drawFlame();
}
