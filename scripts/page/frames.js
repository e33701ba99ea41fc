"use strict";
// Flame graphs: of stacks, or of how they differ from others, frame by frame. Whose they are, the page says.

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

/** What changed, by function: the largest changes, and what is in the second run no more and has no place in the graph. */
function changeText(tree, before, { from, to, clock, parts = "" }) {
  const sums = new Map();
  let gone = 0;
  for (const frame of framesOf(tree)) {
    sums.set(frame.name, (sums.get(frame.name) ?? 0) + frame.change);
    if (frame.value === 0) gone += frame.change;
  }
  const largest = [...sums].filter(([, change]) => change !== 0).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const said = largest.slice(0, 8).map(([name, change]) => `${name} ${sign(change, clock)}`);
  return (
    `From ${from} to ${to}, ${tree.name}: ${sign(tree.value - before.value, clock)} per execution` +
    `${parts} (${said.join(", ") || "no function differs"}).` +
    (gone ? ` What ${to} has no more, ${sign(gone, clock)} of that, is not in the graph.` : "") +
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

/** Nothing is drawn; why. */
function emptyFlame(why) {
  const element = document.getElementById("flame");
  flame?.destroy();
  flame = flameAt = null;
  flameWidth = element.clientWidth;
  element.textContent = why;
  element.setAttribute("aria-label", why);
  document.getElementById("flame-details").textContent = "\u00a0";
}

/** Draws a tree; a changed one in the colours of its changes. */
function drawFrames(tree, clock) {
  emptyFlame("");
  const element = document.getElementById("flame");
  const isChange = "change" in tree;
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
