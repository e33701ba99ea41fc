"use strict";
// What the probe saw: functions, memory.

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
