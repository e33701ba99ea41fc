"use strict";
// All rows, to sort and filter, and the files to download.

let table = null;

const USUAL = ["case", "phase", "median", "precision", "delta", "p99", "max", "samples", "status"];
const NAMES = { precision: "95% ±", delta: "adds to none" };

/** Tabulator takes a title as HTML where it shows it, and as text in a file. */
const titled = (text) => ({ title: escaped(text), titleDownload: text });

function columnOf(name) {
  const clock = () => STATE.clock;
  const { unit, meaning } = DATA.dictionary[name === "other" ? "median" : name] ?? {};
  const column = {
    field: name,
    ...titled(NAMES[name] ?? name),
    visible: USUAL.includes(name),
    headerTooltip: meaning ?? true,
  };
  if (name === "case")
    return {
      ...column,
      frozen: true,
      minWidth: 330,
      formatter: (cell) =>
        escaped(cell.getValue()).replace(DATA.all, "<abbr title='" + DATA.all + "'>all eight</abbr>"),
    };
  if (unit === DATA.ticks)
    return {
      ...column,
      hozAlign: "right",
      sorter: "number",
      sorterParams: { alignEmptyValues: "bottom" },
      formatter: (cell) => timeText(cell.getValue(), clock()),
    };
  if (name === "precision")
    return {
      ...column,
      hozAlign: "right",
      sorter: "number",
      sorterParams: { alignEmptyValues: "bottom" },
      formatter: (cell) => (cell.getValue() === null ? "–" : `±${(cell.getValue() * 100).toFixed(1)}%`),
    };
  if (unit) return { ...column, hozAlign: "right", sorter: "number", formatter: (cell) => cell.getValue() ?? "–" };
  if (name === "status")
    return {
      ...column,
      formatter: (cell) =>
        `<span class="status-${escaped(cell.getValue())}" title="${escaped(cell.getRow().getData().reason)}">${escaped(cell.getValue())}</span>`,
    };
  return { ...column, formatter: (cell) => escaped(cell.getValue()) };
}

/** The first run's rows, with the second's medians where there is one. */
function tableRows() {
  return STATE.first.rows.map((row) => {
    const other = rowAt(STATE.second, row.case, row.phase)?.median ?? null;
    return { ...row, other, ratio: other !== null && row.median ? other / row.median : null };
  });
}

function tableColumns() {
  const names = Object.keys(STATE.first.rows[0]);
  const columns = names.map(columnOf);
  if (STATE.second) {
    const at = columns.findIndex((column) => column.field === "median") + 1;
    columns.splice(
      at,
      0,
      { ...columnOf("other"), ...titled(`median of ${STATE.second.name}`), visible: true },
      {
        field: "ratio",
        title: "÷ first",
        hozAlign: "right",
        sorter: "number",
        sorterParams: { alignEmptyValues: "bottom" },
        formatter: (cell) => (cell.getValue() === null ? "–" : changeOf(cell.getValue())),
      },
    );
  }
  return columns;
}

function fillChoice(id, values, all) {
  const element = document.getElementById(id);
  const old = element.value;
  element.replaceChildren(
    ...(all ? [new Option(all, "")] : []),
    ...values.map((value) => (Array.isArray(value) ? new Option(...value) : new Option(value, value))),
  );
  if ([...element.options].some((option) => option.value === old)) element.value = old;
}

function filterRows() {
  const text = document.getElementById("filter");
  const [phase, status] = ["row-phase", "row-status"].map((id) => document.getElementById(id).value);
  let matches = () => true;
  try {
    const pattern = new RegExp(text.value, "i");
    matches = (one) => pattern.test(one) || pattern.test(`${one}/`); // as nsbench --filter does
    text.setCustomValidity("");
  } catch {
    text.setCustomValidity("no regular expression");
  }
  table.setFilter((row) => matches(row.case) && (!phase || row.phase === phase) && (!status || row.status === status));
}

function count() {
  document.getElementById("count").textContent =
    `${table.getDataCount("active")} of ${STATE.first.rows.length} rows of ${STATE.first.name}`;
}

function drawTable() {
  fillChoice("row-phase", [...new Set(STATE.first.rows.map((row) => row.phase))], "all");
  fillChoice("row-status", [...new Set(STATE.first.rows.map((row) => row.status))], "all");
  table?.destroy();
  table = new Tabulator("#table", {
    data: tableRows(),
    columns: tableColumns(),
    height: 520,
    layout: "fitDataFill",
    columnDefaults: { headerSortTristate: true, resizable: true },
    placeholder: "No row matches.",
  });
  // A table that another has replaced meanwhile may still call.
  const mine = table;
  mine.on("tableBuilt", () => {
    if (mine === table) {
      showColumns();
      filterRows();
    }
  });
  mine.on("dataFiltered", () =>
    setTimeout(() => {
      if (mine === table) count();
    }),
  );
}

function showColumns() {
  const all = document.getElementById("more").checked;
  for (const column of table.getColumns()) {
    const name = column.getField();
    if (USUAL.includes(name) || name === "other" || name === "ratio") continue;
    if (all) column.show();
    else column.hide();
  }
}

function save(text, name) {
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(new Blob([text], { type: "text/csv" })),
    download: name,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function offerFiles() {
  const place = document.getElementById("downloads");
  place.textContent = "Download: ";
  for (const run of DATA.runs) {
    const button = Object.assign(document.createElement("button"), {
      type: "button",
      textContent: `results.csv of ${run.name}`,
    });
    button.addEventListener("click", () => save(run.csv, `${run.name}-results.csv`));
    place.append(button, " ");
  }
  const shown = Object.assign(document.createElement("button"), {
    type: "button",
    textContent: "the rows below as CSV",
  });
  shown.addEventListener("click", () => table.download("csv", "rows.csv"));
  place.append(shown);
}
