"use strict";
// What all charts share: titles, legends and axes that have room at any width; a chart is made when it comes into view.

const BUILDERS = new Map(); // element id → what makes its option of STATE and a width, or says in a string why there is none
const CHARTS = new Map(); // element id → the chart, once it was in view
const NARROW = 600; // pixels: below that no tools, and labels upright

function declare(id, builder) {
  BUILDERS.set(id, builder);
}

/** The words above and below a chart stand in the page, where they are broken into lines. */
function frame(id) {
  const element = document.getElementById(id);
  const caption = Object.assign(document.createElement("p"), { className: "caption", id: `${id}-caption` });
  const note = Object.assign(document.createElement("p"), { className: "note", id: `${id}-note`, hidden: true });
  element.before(caption);
  element.after(note);
}

function say(id, caption, note) {
  document.getElementById(`${id}-caption`).textContent = caption ?? "";
  const element = document.getElementById(`${id}-note`);
  element.textContent = note ?? "";
  element.hidden = !note;
}

/**
 * Beside ECharts' own fields a builder's option has `caption`, `note` (what else must be known), `said` (the figures in words,
 * for who does not see them), `pixels` (the height), `patterns` (whether bars have any) and `isWhole` (nothing to zoom into).
 */
function draw(id) {
  const element = document.getElementById(id);
  const width = element.clientWidth;
  const option = BUILDERS.get(id)(width);
  const old = CHARTS.get(id);
  if (typeof option === "string") {
    old?.dispose();
    CHARTS.set(id, null);
    say(id);
    element.classList.add("empty");
    for (const name of ["role", "aria-label"]) element.removeAttribute(name);
    element.style.height = "";
    element.textContent = option;
    return;
  }
  if (!old) {
    element.classList.remove("empty");
    element.textContent = "";
  }
  const { pixels, caption, note, said, patterns, isWhole, ...rest } = option;
  say(id, caption, note);
  element.style.height = pixels ? `${pixels}px` : "";
  // SVG: its text is text, for print and for tests of what covers what.
  const chart = old ?? echarts.init(element, isDark() ? "dark" : null, { renderer: "svg" });
  CHARTS.set(id, chart);
  chart.resize();
  const words = [caption, said, note].filter(Boolean).join(". ");
  const aria = { enabled: true, label: { description: words }, decal: { show: Boolean(patterns) } };
  chart.setOption({ ...common(width, caption, isWhole), ...fitted(rest, width), aria }, { notMerge: true });
  element.setAttribute("role", "img");
}

/** Draws again what has been in view; the others will be when they come into view. */
function redraw() {
  for (const id of CHARTS.keys()) draw(id);
}

function forget() {
  for (const chart of CHARTS.values()) chart?.dispose();
  CHARTS.clear();
}

/** All charts anew, with the look of now; `every`: also those that have not been in view. */
function restyle(every = false) {
  const ids = [...(every ? BUILDERS : CHARTS).keys()];
  forget();
  ids.forEach(draw);
}

function watch() {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting && !CHARTS.has(entry.target.id)) draw(entry.target.id);
    },
    { rootMargin: "300px" },
  );
  for (const id of BUILDERS.keys()) {
    frame(id);
    observer.observe(document.getElementById(id));
  }
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) redraw();
    width = innerWidth;
  });
}

function common(width, caption, isWhole) {
  return {
    animation: false,
    backgroundColor: "transparent",
    textStyle: { color: css("--text"), fontFamily: FONT },
    ...(toolRoom(width) ? { toolbox: toolbox(caption, !isWhole) } : {}),
  };
}

function toolbox(caption, zoom) {
  return {
    right: 8,
    top: 0,
    iconStyle: { borderColor: css("--dim") },
    feature: {
      ...(zoom
        ? {
            dataZoom: { title: { zoom: "zoom", back: "back" }, brushStyle: { opacity: 0.2 } },
            restore: { title: "whole" },
          }
        : {}),
      saveAsImage: { title: "SVG", name: caption, backgroundColor: css("--back") },
    },
  };
}

const FONT = "system-ui, DejaVu Sans, sans-serif";
const pen = document.createElement("canvas").getContext("2d");

function textWidth(text, size = 12) {
  pen.font = `${size}px ${FONT}`;
  return Math.max(
    ...String(text)
      .split("\n")
      .map((line) => pen.measureText(line).width),
  );
}

const widest = (texts, size) => Math.max(0, ...texts.map((text) => textWidth(text, size)));

const TOOLS = { width: 120, height: 30 }; // pixels that they take

/** None on a telephone, and none on paper. */
const toolRoom = (width) => (width < NARROW || document.documentElement.dataset.print ? 0 : TOOLS.height);

function legend(names) {
  return {
    data: names,
    left: 0,
    top: 0,
    padding: 2,
    itemGap: 10,
    itemWidth: 22,
    itemHeight: 12,
    textStyle: { color: css("--text"), fontSize: 12 },
  };
}

/** The pixels that a legend takes above a chart: its items go on in a new line where one is full. */
function legendRoom(names, width) {
  let [rows, at] = [1, 0];
  for (const name of names) {
    const size = 22 + 5 + textWidth(name) + 10;
    if (at > 0 && at + size > width) [rows, at] = [rows + 1, 0];
    at += size;
  }
  return 24 * rows + 8;
}

/** In lines of so many pixels, which ECharts does not do with the name of an axis. */
function broken(text, width) {
  const made = [];
  for (const word of text.split(" ")) {
    const line = made.length ? `${made.at(-1)} ${word}` : word;
    if (made.length && textWidth(line) <= width) made[made.length - 1] = line;
    else made.push(word);
  }
  return made.join("\n");
}

/** A legend, and an x axis with its name, with the room that they need. */
function fitted(option, width) {
  const names = option.legend?.data;
  const room = width - (toolRoom(width) && TOOLS.width) - 8;
  const top = names ? Math.max(legendRoom(names, room), toolRoom(width)) : toolRoom(width);
  const made = { ...option };
  if (names) made.legend = { ...option.legend, width: room };
  const name = Array.isArray(option.xAxis) ? "" : broken(option.xAxis?.name ?? "", width - 130);
  const lines = name ? name.split("\n").length : 0;
  if (lines) made.xAxis = { ...option.xAxis, name, nameTextStyle: { ...option.xAxis.nameTextStyle, lineHeight: 17 } };
  made.grid = option.grid ?? { left: 22, right: 34, top: top + 8, bottom: 14 + 17 * lines, containLabel: true };
  return made;
}

function tooltip(more = {}) {
  return {
    confine: true,
    backgroundColor: css("--panel"),
    borderColor: css("--line"),
    textStyle: { color: css("--text"), fontSize: 12 },
    extraCssText: "max-width: 90vw; white-space: normal;",
    ...more,
  };
}

function axis(name, more = {}) {
  return {
    name,
    nameLocation: "middle",
    nameGap: 30,
    nameTextStyle: { color: css("--text") },
    axisLabel: { color: css("--text"), hideOverlap: true },
    axisLine: { show: true, lineStyle: { color: css("--dim") } },
    splitLine: { lineStyle: { color: css("--line") } },
    minorSplitLine: { show: false },
    ...more,
  };
}

/** An axis of names, which take no more than their share of the width. */
function nameAxis(names, width, more = {}) {
  return axis("", {
    type: "category",
    data: names,
    axisLabel: { color: css("--text"), interval: 0, width: Math.max(90, width * 0.36), overflow: "truncate" },
    ...more,
  });
}

const plainNumber = (value) => Number(value.toPrecision(6)).toLocaleString("en", { maximumSignificantDigits: 6 });

/** A value axis on the reader's scale. */
function timeAxis(name, more = {}) {
  const log = STATE.scale === "log";
  return axis(name, {
    type: log ? "log" : "value",
    logBase: 10,
    min: log ? lowest : undefined,
    splitNumber: 4,
    axisLabel: { color: css("--text"), hideOverlap: true, formatter: plainNumber },
    ...more,
  });
}

/** The decade's third below the smallest value: an axis from 1 to 1000 for values from 40 up would show little. */
function lowest({ min }) {
  const decade = 10 ** Math.floor(Math.log10(min));
  return Number.isFinite(decade) && decade > 0
    ? decade * (min / decade >= 5 ? 5 : min / decade >= 2 ? 2 : 1)
    : undefined;
}

/** On a logarithmic axis only what is above zero can stand. */
const drawable = (value) =>
  value === null || value === undefined || !Number.isFinite(value) || (STATE.scale === "log" && value <= 0)
    ? null
    : value;

const SAID = 6; // of what is left out

/** What has no place on a logarithmic axis is said: [name, value as text] of each. */
function leftOut(items) {
  if (!items.length) return "";
  const said = items.slice(0, SAID).map(([name, text]) => `${name} ${text}`);
  if (items.length > SAID) said.push(`and ${items.length - SAID} others`);
  return `Not above zero, and so not on the logarithmic scale: ${said.join(", ")}.`;
}

function interval(row, low, high, clock) {
  return row[low] === null ? "" : ` (95%: ${timeText(row[low], clock)} … ${timeText(row[high], clock)})`;
}
