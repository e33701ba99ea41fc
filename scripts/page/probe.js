"use strict";
// What the probe saw: functions, one beside the other and from run to run, and memory. Runs without the probe's figures take
// those of the run beside them.

const PATHS = () => [...document.getElementById("path").options].map((option) => option.value);
const probedRun = () => holder((run) => run.probe && Object.keys(run.probe.functions).length);
const memoryRun = () => holder((run) => run.probe?.memory);
const noProbe = (run) =>
  `${run.name} was measured without the probe (nsbench --probe --out=…), and has no run with it beside it.`;

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

const places = new Map(); // function → its place among all: it has one look in all panels of all runs

/** The dearest function of all runs, paths and cases is the first. */
function rankFunctions() {
  const most = new Map();
  for (const { functions } of Object.values(DATA.probes))
    for (const paths of Object.values(functions))
      for (const path of Object.values(paths))
        for (const [name, [self]] of Object.entries(path)) most.set(name, Math.max(most.get(name) ?? 0, self ?? 0));
  [...most].sort(([, a], [, b]) => b - a).forEach(([name], index) => places.set(name, index));
}

const functionLook = (name) => lookAt(places.get(name));

const SHOWN_FUNCTIONS = 9;

declare("functions", (width) => {
  const run = probedRun();
  if (!run.probe) return noProbe(run);
  const path = document.getElementById("path").value;
  const cases = Object.keys(run.probe.functions).filter((one) => run.probe.functions[one][path]);
  if (!cases.length) return "The probe saw no function of this path.";
  const self = (one, name) => Math.max(0, run.probe.functions[one][path][name]?.[0] ?? 0) / 1000;
  const most = (name) => Math.max(...cases.map((one) => self(one, name)));
  const names = [...new Set(cases.flatMap((one) => Object.keys(run.probe.functions[one][path])))].sort(
    (a, b) => most(b) - most(a),
  );
  const parts = names.slice(0, SHOWN_FUNCTIONS).map((name) => [name, cases.map((one) => self(one, name))]);
  const others = names.slice(SHOWN_FUNCTIONS);
  if (others.length)
    parts.push(["other traced functions", cases.map((one) => others.reduce((sum, name) => sum + self(one, name), 0))]);
  return {
    ...stacked(caseLabels(cases), parts, {
      ...timesOf("self time per execution", run.clock, width),
      look: functionLook,
    }),
    caption: `${run.probe.name}: self time of the traced functions per execution`,
  };
});

/** The runs with functions, each probe once. */
function comparedProbes() {
  const runs = byKernel().filter((run) => run.probe && Object.keys(run.probe.functions).length);
  return runs.filter((run, index) => runs.findIndex((one) => one.probe === run.probe) === index);
}

const element = (name, text, more = {}) => Object.assign(document.createElement(name), { textContent: text, ...more });

/** Function by function, what it takes in each run: itself, and with what it calls. */
function drawFunctionTable() {
  const [place, title] = ["function-table", "function-title"].map((id) => document.getElementById(id));
  const [path, name] = ["path", "function-case"].map((id) => document.getElementById(id).value);
  const runs = comparedProbes();
  const of = (run) => run.probe.functions[name]?.[path] ?? {};
  const functions = [...new Set(runs.flatMap((run) => Object.keys(of(run))))];
  const most = (one) => Math.max(...runs.map((run) => of(run)[one]?.[0] ?? 0));
  functions.sort((a, b) => most(b) - most(a));
  place.replaceChildren();
  title.textContent = functions.length
    ? `${name.replace(DATA.all, "all eight")}: each function per execution, ${runs.length > 1 ? "from run to run" : runs[0].probe.name}`
    : "";
  if (!functions.length) return;
  const isApart = new Set(runs.map((run) => run.kernel)).size === runs.length;
  const heads = isApart && runs.length > 1 ? kernelNames(runs) : runs.map((run) => run.probe.name);
  const top = element("tr", "");
  const below = element("tr", "");
  top.append(element("th", "function", { rowSpan: 2 }));
  heads.forEach((head, index) => {
    top.append(element("th", head, { colSpan: 2, title: runs[index].identity }));
    below.append(element("th", "self"), element("th", "total"));
  });
  if (runs.length > 1) top.append(element("th", "self, last ÷ first", { rowSpan: 2 }));
  const body = functions.map((one) =>
    functionLine(
      one,
      runs.map((run) => of(run)[one]),
      runs[0].clock,
    ),
  );
  const table = element("table", "", { className: "figures" });
  table.append(top, below, ...body);
  place.append(table);
}

function functionLine(name, figures, clock) {
  const line = element("tr", "");
  const head = element("th", name);
  const swatch = element("span", "", { className: "swatch" });
  swatch.style.background = functionLook(name).color;
  head.prepend(swatch);
  line.append(head);
  const text = (value) => (value === null || value === undefined ? "–" : shortTime(value, clock));
  for (const figure of figures)
    line.append(element("td", text(figure?.[0])), element("td", text(figure?.[1]), { className: "dim" }));
  const [first, last] = [figures[0]?.[0], figures.at(-1)?.[0]];
  if (figures.length > 1)
    line.append(
      element(
        "td",
        first > 0 && last > 0
          ? changeOf(last / first)
          : figures[0]
            ? figures.at(-1)
              ? "–"
              : "gone"
            : figures.at(-1)
              ? "new"
              : "–",
      ),
    );
  return line;
}

/** A step of an axis of bytes: a power of two. */
const bytesStep = (values) => 2 ** Math.max(0, Math.round(Math.log2(Math.max(...values, 1) / 3)));

/** A linear axis of bytes, whose last step is a whole one. */
function linearBytes(values) {
  const step = bytesStep(values);
  return { type: "value", interval: step, max: Math.ceil(Math.max(...values, 1) / step) * step };
}

function bytesAxis(more) {
  return axis("bytes per execution", {
    axisLabel: { color: css("--text"), hideOverlap: true, formatter: bytesText },
    ...more,
  });
}

declare("memory", (width) => {
  const run = memoryRun();
  if (!run.probe?.memory) return noProbe(run);
  const { cases, allocators, bytes } = run.probe.memory;
  const log = STATE.scale === "log";
  const kept = (value) => !log || value >= 1;
  const labels = caseLabels(cases);
  const parts = allocators.map((name, index) => [name, bytes[index].map((value) => (kept(value) ? value : null))]);
  const lost = allocators.flatMap((name, index) =>
    bytes[index].flatMap((value, at) =>
      value !== 0 && !kept(value) ? [`${labels[at]} ${name} ${bytesText(value)}`] : [],
    ),
  );
  const made = stacked(labels, parts, { name: "", text: bytesText, width });
  return {
    ...made,
    caption: `${run.probe.name}: bytes per execution`,
    note: lost.length ? `Below 1 B, and so not on the logarithmic scale: ${lost.join(", ")}.` : "",
    said: labels.map((name, at) => `${name} ${bytesText(bytes.reduce((sum, of) => sum + of[at], 0))}`).join(", "),
    xAxis: bytesAxis(
      log
        ? { type: "log", logBase: 2, min: 1, splitNumber: 3 }
        : linearBytes(cases.map((_one, at) => bytes.reduce((sum, of) => sum + Math.max(0, of[at]), 0))),
    ),
    series: made.series.map((one) => ({ ...one, stack: log ? undefined : "all" })),
  };
});

declare("sites", (width) => {
  const run = memoryRun();
  const sites = run.probe?.memory?.sites[document.getElementById("memory-case").value];
  if (!sites?.length) return run.probe?.memory ? "No place allocates more than none does." : "";
  const names = ["kmalloc", "slab", "percpu"];
  const parts = names.map((name) => [name, sites.map(([, allocator, value]) => (allocator === name ? value : 0))]);
  return {
    ...stacked(
      sites.map(([place]) => place),
      parts,
      { name: "", text: bytesText, width },
    ),
    caption: "The places that allocate most",
    xAxis: bytesAxis(linearBytes(sites.map(([, , value]) => value))),
  };
});
