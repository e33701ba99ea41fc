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
  fillChoice(
    "flame-case",
    Object.keys(STATE.first.stacks).map((one) => [one.replace(DATA.all, "all eight"), one]),
  );
  fillChoice(
    "memory-case",
    (STATE.first.memory?.cases ?? []).map((one) => [one.replace(DATA.all, "all eight"), one]),
  );
  choosePhases();
  drawTable();
  drawFlame();
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
  on("path", () => redraw());
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
  fillChoice("clock", [...new Set(DATA.runs.map((run) => run.clock))]);
  STATE.clock = DATA.runs[0].clock;
  offerFiles();
  listen();
  offerRuns();
  watch();
  document.documentElement.dataset.ready = "yes";
});
