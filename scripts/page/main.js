"use strict";
// The reader's choices and what follows from each.

let DATA = null;
const STATE = {
  clock: "",
  first: null,
  second: null,
  operation: "",
  phase: "",
  scale: "log",
  shown: "delta",
  kinds: new Set(),
};
const pick = (id) => document.getElementById(id);

/** Runs of one clock are offered, since those of two are never compared. */
function offerRuns() {
  const runs = DATA.runs.filter((run) => run.clock === STATE.clock);
  const options = runs.map((run) => [run.name, String(DATA.runs.indexOf(run))]);
  fillChoice("first", options);
  fillChoice("second", options, "none");
  chooseRuns();
}

function chooseRuns() {
  STATE.first = DATA.runs[Number(pick("first").value)];
  for (const option of pick("second").options) option.disabled = option.value === pick("first").value;
  if (pick("second").value === pick("first").value) pick("second").value = "";
  STATE.second = pick("second").value === "" ? null : DATA.runs[Number(pick("second").value)];
  fillChoice("operation", Object.keys(STATE.first.operations));
  const { stacks } = stackedRun();
  offerCases("flame-case", Object.keys(stacks), (one) => stacks[one].value);
  const { cases = [], bytes } = memoryRun().probe?.memory ?? {};
  offerCases("memory-case", cases, (one) => bytes.reduce((sum, of) => sum + of[cases.indexOf(one)], 0));
  offerFunctions();
  choosePhases();
  drawTable();
  drawFlame();
}

/** Cases, of which the dearest is chosen at first. */
function offerCases(id, cases, cost) {
  const isFirst = !pick(id).value;
  fillChoice(
    id,
    cases.map((one) => [one.replace(DATA.all, "all eight"), one]),
  );
  if (isFirst && cases.length) pick(id).value = cases.reduce((most, one) => (cost(one) > cost(most) ? one : most));
}

/** The probed cases, and the paths that one of them has. */
function offerFunctions() {
  const functions = probedRun().probe?.functions ?? {};
  const selfOf = (path) => Object.values(path).reduce((sum, [self]) => sum + (self ?? 0), 0);
  offerCases("function-case", Object.keys(functions), (one) => selfOf(functions[one].create ?? {}));
  const has = (path) => Object.values(functions).some((paths) => path in paths);
  for (const option of pick("path").options) option.disabled = !has(option.value);
  if (!has(pick("path").value)) pick("path").value = PATHS().find(has) ?? PATHS()[0];
  drawFunctionTable();
}

function choosePhases() {
  STATE.operation = pick("operation").value;
  fillChoice("phase", STATE.first.operations[STATE.operation]?.phases ?? []);
  STATE.phase = pick("phase").value;
  redraw();
}

function on(id, action, event = "change") {
  pick(id).addEventListener(event, () => action(pick(id).value));
}

function listen() {
  on("clock", (value) => {
    STATE.clock = value;
    offerRuns();
  });
  on("first", chooseRuns);
  on("second", chooseRuns);
  on("operation", choosePhases);
  on("phase", (value) => {
    STATE.phase = value;
    redraw();
  });
  on("scale", (value) => {
    STATE.scale = value;
    redraw();
  });
  on("shown", (value) => {
    STATE.shown = value;
    redraw();
  });
  on("path", () => {
    redraw();
    drawFunctionTable();
  });
  on("function-case", drawFunctionTable);
  on("memory-case", () => redraw());
  on("flame-case", drawFlame);
  on("flame-shown", drawFlame);
  pick("flame").addEventListener("keydown", moveInFlame);
  on("flame-find", (value) => (value ? flame?.search(value) : flame?.clear()), "input");
  on("flame-reset", () => flame?.resetZoom(), "click");
  on("filter", filterRows, "input");
  on("row-phase", filterRows);
  on("row-status", filterRows);
  on("more", showColumns);
  on(
    "theme",
    () => {
      document.documentElement.dataset.theme = isDark() ? "light" : "dark";
      restyle();
      drawFlame();
    },
    "click",
  );
  addEventListener("resize", fitFlame);
}

function offerKinds() {
  for (const [flag, name] of Object.entries(DATA.kinds)) {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true, id: `kind-${name}` });
    box.addEventListener("change", () => {
      if (box.checked) STATE.kinds.add(flag);
      else STATE.kinds.delete(flag);
      redraw();
    });
    const label = document.createElement("label");
    label.append(box, name);
    pick("kinds").append(label);
    STATE.kinds.add(flag);
  }
}

document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

unpacked().then((data) => {
  DATA = data;
  offerKinds();
  rankFunctions();
  fillChoice("clock", [...new Set(DATA.runs.map((run) => run.clock))]);
  STATE.clock = DATA.runs[0].clock;
  offerFiles();
  listen();
  watch();
  offerRuns();
  document.documentElement.dataset.ready = "yes";
});
