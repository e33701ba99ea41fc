"use strict";
// The flame graph: a run's stacks, or how they differ from those of the second run, frame by frame.

let flame = null;
let flameWidth = 0;
let flameAt = null; // the frame that the keys are at
let flameLabel = null; // says what a frame is

const childrenOf = (node) => node?.children ?? [];
const ownOf = (node) => (node ? node.value - childrenOf(node).reduce((sum, child) => sum + child.value, 0) : 0);

/** Two trees as one, as wide as the second; `change` is that of a frame's own time, `before` what it was. */
function changed(before, after) {
  const names = new Set([...childrenOf(after), ...childrenOf(before)].map((child) => child.name));
  const named = (node, name) => childrenOf(node).find((child) => child.name === name);
  return {
    name: (after ?? before).name,
    value: after?.value ?? 0,
    before: ownOf(before),
    after: ownOf(after),
    change: ownOf(after) - ownOf(before),
    children: [...names].map((name) => changed(named(before, name), named(after, name))),
  };
}

/** Every frame, callers before callees. */
function* framesOf(node) {
  yield node;
  for (const child of childrenOf(node)) yield* framesOf(child);
}

function sign(value, clock) {
  return value === 0 ? "±0" : (value > 0 ? "+" : "−") + timeText(Math.abs(value), clock);
}

/** By how much each part of a case changed, where a profile has several: the call, the way out, the workers. */
function partsText(tree, before, clock) {
  const known = [...document.getElementById("path").options].map((option) => option.value);
  const partOf = (node, name) => childrenOf(node).find((part) => part.name === name);
  const parts = known.filter((name) => partOf(tree, name));
  const change = (name) => partOf(tree, name).value - (partOf(before, name)?.value ?? 0);
  return parts.length < 2 ? "" : `, of which ${parts.map((name) => `${name} ${sign(change(name), clock)}`).join(", ")}`;
}

/** What changed, by function: the largest changes, and what is in the second run no more and has no place in the graph. */
function changeText(tree, before) {
  const { clock } = STATE.first;
  const sums = new Map();
  let gone = 0;
  for (const frame of framesOf(tree)) {
    sums.set(frame.name, (sums.get(frame.name) ?? 0) + frame.change);
    if (frame.value === 0) gone += frame.change;
  }
  const largest = [...sums].filter(([, change]) => change !== 0).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const said = largest.slice(0, 8).map(([name, change]) => `${name} ${sign(change, clock)}`);
  return (
    `From ${stackedRun().name} to ${STATE.second.name}, ${tree.name}: ${sign(tree.value - before.value, clock)} per execution` +
    `${partsText(tree, before, clock)} (${said.join(", ") || "no function differs"}).` +
    (gone ? ` What ${STATE.second.name} has no more, ${sign(gone, clock)} of that, is not in the graph.` : "") +
    " Red: a frame's own part grew; blue: it shrank."
  );
}

// Names in them are dark, in light and dark.
const CHANGES = { up: ["#F7D9D3", "#EE6050"], down: ["#D6E4F5", "#5F9DE6"], none: "#E4E6E8" };
const DARK_CHANGES = { up: ["#B79791", "#F0705F"], down: ["#97A9C4", "#6AA9F0"], none: "#8A929B" };

/** Red or blue, the stronger the more of the largest change it is. */
function changeColour(change, most) {
  const tones = isDark() ? DARK_CHANGES : CHANGES;
  if (change === 0) return tones.none;
  return d3.interpolateRgb(...tones[change > 0 ? "up" : "down"])(Math.sqrt(Math.abs(change) / most));
}

function runColour(name) {
  if (name === "[waiting]") return isDark() ? "#8A929B" : "#CFD4DA";
  const tones = isDark()
    ? ["#C98A3A", "#C0723A", "#CFA659", "#B98052", "#D0B070"]
    : ["#F6C26B", "#F3A25A", "#F7D488", "#EFB27A", "#FAE0A0"];
  return tones[[...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % tones.length];
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
  const element = document.getElementById("flame");
  const said = document.getElementById("flame-change");
  const tree = flameTree();
  flame?.destroy();
  flame = flameAt = null;
  flameWidth = element.clientWidth;
  element.textContent = "";
  document.getElementById("flame-details").textContent = "\u00a0";
  const isChange = typeof tree !== "string" && "change" in tree;
  document.getElementById("flame-of").textContent =
    typeof tree === "string"
      ? ""
      : `Stacks of ${DATA.stacks[stackedRun().stacked].name}; frames of less than ${DATA.least * 100}% are left out.`;
  said.hidden = !isChange;
  said.textContent = isChange ? changeText(tree, stackedRun().stacks[tree.name]) : "";
  if (typeof tree === "string") {
    element.setAttribute("aria-label", tree);
    element.textContent = tree;
    return;
  }
  const { clock } = STATE.first;
  element.setAttribute(
    "aria-label",
    `Flame graph of ${tree.name}; the arrow keys go from frame to frame, Enter enlarges one`,
  );
  const whole = tree.value;
  const most = isChange ? [...framesOf(tree)].reduce((found, frame) => Math.max(found, Math.abs(frame.change)), 0) : 0;
  flameLabel = ({ data, value }) => {
    const part = `${data.name}: ${timeText(value, clock)} per execution, ${((value / whole) * 100).toFixed(1)}% of ${tree.name}`;
    return isChange
      ? `${part}; itself ${sign(data.change, clock)} (${timeText(data.before, clock)} → ${timeText(data.after, clock)})`
      : part;
  };
  flame = flamegraph
    .default()
    .width(element.clientWidth)
    .cellHeight(18)
    .inverted(true)
    .transitionDuration(0)
    .minFrameSize(1)
    .sort(true)
    .setLabelHandler(flameLabel)
    .setDetailsElement(document.getElementById("flame-details"))
    .setColorMapper((node) =>
      node.highlight ? "#56B4E9" : isChange ? changeColour(node.data.change, most) : runColour(node.data.name),
    );
  if (isChange)
    flame.getName(({ data }) => (data.change === 0 ? data.name : `${data.name} ${sign(data.change, clock)}`));
  d3.select(element).datum(tree).call(flame);
}

/** The arrow keys: callers are above, callees below. */
function moveInFlame(event) {
  const shown = d3
    .selectAll("#flame g.frame")
    .filter((node) => !node.data.hide && node.x1 > node.x0)
    .data();
  if (!flame || !shown.length) return;
  const beside = (step) => {
    const level = shown.filter((node) => node.depth === flameAt.depth).sort((a, b) => a.x0 - b.x0);
    return level[level.indexOf(flameAt) + step];
  };
  const moves = {
    ArrowUp: () => flameAt.parent,
    ArrowDown: () => shown.filter((node) => node.parent === flameAt).sort((a, b) => b.value - a.value)[0],
    ArrowLeft: () => beside(-1),
    ArrowRight: () => beside(1),
    Enter: () => flameAt,
  };
  if (!(event.key in moves)) return;
  event.preventDefault();
  const isNew = !shown.includes(flameAt);
  flameAt = isNew ? shown.find((node) => !node.parent) : (moves[event.key]() ?? flameAt);
  if (event.key === "Enter" && !isNew) flame.zoomTo(flameAt);
  document.getElementById("flame-details").textContent = flameLabel(flameAt);
  d3.selectAll("#flame g.frame").classed("at", (node) => node === flameAt);
}

/** A new width takes a new graph. */
function fitFlame() {
  if (document.getElementById("flame").clientWidth !== flameWidth) drawFlame();
}
