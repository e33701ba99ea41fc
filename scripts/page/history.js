"use strict";
// The history of kernels: a panel for each case, its figure over the kernels, the steps marked; a chosen step's rows and functions.

const HISTORY = JSON.parse(document.getElementById("history-data").textContent);
const MOST_STEPS = 20; // in the table while none is chosen

const historyById = (id) => document.getElementById(id);
const historyCell = (text, name = "td") => Object.assign(document.createElement(name), { textContent: text });
const historyWhole = (value) => Math.round(value).toLocaleString("en");
const historySigned = (value) => (value > 0 ? "+" : "") + historyWhole(value);

/** A table of these rows of text below a head. */
function historyTable(head, rows, choose = null) {
  const table = document.createElement("table");
  const line = (cells, name) => {
    const row = document.createElement("tr");
    row.append(...cells.map((text) => historyCell(text, name)));
    return row;
  };
  table.append(line(head, "th"));
  rows.forEach((cells, index) => {
    const row = line(cells, "td");
    if (choose) row.addEventListener("click", () => choose(index));
    table.append(row);
  });
  return table;
}

/** What Debian's changelogs say that may have to do with a step; nothing where it was not looked for. */
function historyTitles({ titles }) {
  if (!titles) return [];
  const rows = Object.entries(titles.functions).flatMap(([name, { file, titles: found, more }]) => [
    ...found.map((title) => [name, file ?? "not known", title]),
    ...(more ? [[name, file ?? "not known", `and ${more} more`]] : []),
  ]);
  const gap = titles.unlisted.length ? ` Of ${titles.unlisted.join(", ")} the changelog lists no patch.` : "";
  const names = Object.keys(titles.functions);
  const unfiled = names.filter((name) => !titles.functions[name].file);
  const none = rows.length ? "" : ` None names one of ${names.join(", ")}${unfiled.length < names.length ? ", or the file of one" : ""}.`;
  const unknown = unfiled.length ? ` Of ${unfiled.join(", ")} the file is not known: only the name was looked for.` : "";
  const said = `Debian's changelog has ${historyWhole(titles.titles_between)} titles of patches between the two.${none}${unknown}${gap} A title does not say that its patch is the cause.`;
  return [historyCell(said, "p"), ...(rows.length ? [historyTable(["function", "its file", "titles that name one of them"], rows)] : [])];
}

/** One step: what moved, and by which functions. */
function showHistoryStep(step) {
  historyById("history-said").textContent = `${step.from} → ${step.to} (${step.kind})${step.also.length ? `; the same step: ${step.also.join(", ")}` : ""}`;
  const rows = step.rows.map((row) => [
    row.case, row.phase, historyWhole(row.before), historyWhole(row.after), historySigned(row.after - row.before), `±${historyWhole(row.resolution)}`,
  ]);
  const functions = step.functions.map((one) => [
    one.function, historyWhole(one.before), historyWhole(one.after), historySigned(one.after - one.before),
  ]);
  if (step.unexplained !== undefined) functions.push(["not explained", "", "", historySigned(step.unexplained)]);
  historyById("history-steps").replaceChildren(
    historyTable(["case", "phase", "before", "after", "change", "resolution"], rows),
    functions.length ? historyTable(["function", "before", "after", "change"], functions) : historyCell("Its functions were not looked for.", "p"),
    ...historyTitles(step),
  );
  chooseHistoryFlame(step);
}

/** The largest of the chosen series, while none is chosen. */
function showHistorySteps() {
  const shown = HISTORY.steps.filter(isHistoryShown).slice(0, MOST_STEPS);
  const rows = shown.map((step) => [
    step.from, step.to, step.kind, step.function ?? "", historySigned(step.instructions), `${step.rows[0].case} ${step.rows[0].phase}`, `${step.rows.length}`,
  ]);
  historyById("history-steps").replaceChildren(
    historyTable(["from", "to", "what differs", "function", "instructions", "row", "rows"], rows, (index) => showHistoryStep(shown[index])),
  );
}

const chosenHistory = () => ({ phase: historyById("history-phase").value, series: historyById("history-series").value });

function isHistoryShown(step) {
  const { series } = chosenHistory();
  return !series || HISTORY.kernels.some((kernel) => kernel.name === step.to && kernel.series === series);
}

/** The option of ECharts for a case. */
function historyPanel(name, values, steps) {
  const { series } = chosenHistory();
  const shown = HISTORY.kernels.map((kernel, index) => ({ ...kernel, index })).filter((kernel) => !series || kernel.series === series);
  const compilers = [...new Set(shown.map((kernel) => kernel.compiler))];
  const place = new Map(shown.map((kernel, index) => [kernel.name, index]));
  const marks = steps.filter((step) => place.has(step.to)).map((step) => ({ value: [place.get(step.to), values[shown[place.get(step.to)].index]], step }));
  return {
    animation: false,
    title: { text: name, textStyle: { fontSize: 12 } },
    grid: { left: 64, right: 8, top: 28, bottom: 24 },
    tooltip: { trigger: "item" },
    xAxis: { type: "category", data: shown.map((kernel) => kernel.short) },
    yAxis: { type: "value", scale: true },
    series: [
      ...compilers.map((compiler) => ({
        name: compiler,
        type: "line",
        connectNulls: true,
        symbolSize: 3,
        data: shown.map((kernel) => (kernel.compiler === compiler ? values[kernel.index] : null)),
      })),
      { name: "step", type: "scatter", symbol: "diamond", symbolSize: 9, data: marks },
    ],
  };
}

function drawHistory() {
  const { phase } = chosenHistory();
  const holder = historyById("history-panels");
  for (const panel of holder.children) echarts.getInstanceByDom(panel)?.dispose();
  holder.replaceChildren();
  for (const [name, values] of Object.entries(HISTORY.rows[phase])) {
    const panel = document.createElement("div");
    holder.append(panel);
    const steps = HISTORY.steps.filter((step) => step.rows.some((row) => row.case === name && row.phase === phase));
    const chart = echarts.init(panel);
    chart.setOption(historyPanel(name, values, steps));
    chart.on("click", (event) => event.data?.step && showHistoryStep(event.data.step));
  }
  showHistorySteps();
}

function startHistory() {
  const fill = (id, values) => historyById(id).append(...values.map(([value, text]) => Object.assign(document.createElement("option"), { value, textContent: text })));
  fill("history-phase", Object.keys(HISTORY.rows).map((phase) => [phase, phase]));
  fill("history-series", [["", "all"], ...[...new Set(HISTORY.kernels.map((kernel) => kernel.series))].map((one) => [one, one])]);
  for (const id of ["history-phase", "history-series"]) historyById(id).addEventListener("change", drawHistory);
  drawHistory();
}

startHistory();
