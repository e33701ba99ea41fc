"use strict";
// What the probe saw: functions, stacks, memory.

const NO_PROBE = (run) => `${run.name} was measured without the probe (nsbench --probe --out=…).`;

/** Cases by what tells them apart. */
function caseLabels(cases) {
  const rest = new Set(
    cases.map((one) =>
      one
        .split("/")
        .filter((_part, index) => index !== 1)
        .join("/"),
    ),
  );
  return cases.map((one) =>
    rest.size === 1 && cases.length > 1 ? labelOf(one.split("/")[1]) : one.replace(DATA.all, "all eight"),
  );
}

declare("functions", () => {
  const { first } = STATE;
  const path = first.functions[document.getElementById("path").value];
  if (!path) return Object.keys(first.functions).length ? "The probe saw no function of this path." : NO_PROBE(first);
  const parts = path.functions.map((name, index) => [name, path.self[index].map((value) => value / 1000)]);
  return {
    title: heading(`${first.name}: self time of the traced functions per execution`),
    ...stacked(caseLabels(path.cases), parts, "self time per execution", unitOf(first.clock), (value) =>
      timeText(value * 1000, first.clock),
    ),
  };
});

/** A step of an axis of bytes: a power of two. */
const bytesStep = (values) => 2 ** Math.max(0, Math.round(Math.log2(Math.max(...values, 1) / 5)));

declare("memory", () => {
  const { first } = STATE;
  if (!first.memory) return NO_PROBE(first);
  const { cases, allocators, bytes } = first.memory;
  const log = STATE.scale === "log";
  return {
    title: heading("Bytes per execution"),
    ...stacked(
      caseLabels(cases),
      allocators.map((name, index) => [name, bytes[index].map((value) => (log && value < 1 ? null : value))]),
      "",
      "bytes",
      bytesText,
    ),
    xAxis: axis("bytes per execution", {
      type: log ? "log" : "value",
      logBase: 2,
      min: log ? 1 : undefined,
      ...(log ? {} : { interval: bytesStep(bytes.flat()) }),
      axisLabel: { color: css("--text"), hideOverlap: true, formatter: bytesText },
    }),
    series: allocators.map((name, index) => ({
      name,
      type: "bar",
      stack: log ? undefined : "all",
      itemStyle: { color: SERIES[index] },
      data: bytes[index].map((value) => (log && value < 1 ? null : value)),
    })),
  };
});

declare("sites", () => {
  const sites = STATE.first.memory?.sites[document.getElementById("memory-case").value];
  if (!sites?.length) return STATE.first.memory ? "No place allocates more than none does." : "";
  const names = ["kmalloc", "slab", "percpu"];
  return {
    title: heading("The places that allocate most"),
    ...stacked(
      sites.map(([place]) => place),
      names.map((name) => [name, sites.map(([, allocator, value]) => (allocator === name ? value : 0))]),
      "",
      "bytes",
      bytesText,
    ),
    xAxis: axis("bytes per execution", {
      type: "value",
      interval: bytesStep(sites.map(([, , value]) => value)),
      axisLabel: { color: css("--text"), hideOverlap: true, formatter: bytesText },
    }),
  };
});

let flame = null;
let flameWidth = 0;

function drawFlame() {
  const element = document.getElementById("flame");
  const tree = STATE.first.stacks[document.getElementById("flame-case").value];
  flame?.destroy();
  flame = null;
  flameWidth = element.clientWidth;
  element.textContent = "";
  document.getElementById("flame-details").textContent = "\u00a0";
  if (!tree) {
    element.textContent = `${STATE.first.name} has no sampled stacks (nsbench --probe --folded=FILE, where the probe samples; then report.py --folded=FILE).`;
    return;
  }
  const share = (node) =>
    `${node.data.name}: ${timeText(node.value, STATE.first.clock)} per execution, ${((node.value / tree.value) * 100).toFixed(1)}% of ${tree.name}`;
  const tones = isDark()
    ? ["#C98A3A", "#C0723A", "#CFA659", "#B98052", "#D0B070"]
    : ["#F6C26B", "#F3A25A", "#F7D488", "#EFB27A", "#FAE0A0"];
  flame = flamegraph
    .default()
    .width(element.clientWidth)
    .cellHeight(18)
    .inverted(true)
    .transitionDuration(0)
    .minFrameSize(1)
    .sort(true)
    .setLabelHandler(share)
    .setDetailsElement(document.getElementById("flame-details"))
    .setColorMapper((node) =>
      node.highlight
        ? "#56B4E9"
        : node.data.name === "[waiting]"
          ? isDark()
            ? "#8A929B"
            : "#CFD4DA"
          : tones[[...node.data.name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % tones.length],
    );
  d3.select(element).datum(structuredClone(tree)).call(flame);
}

/** A new width takes a new graph. */
function fitFlame() {
  if (document.getElementById("flame").clientWidth !== flameWidth) drawFlame();
}
