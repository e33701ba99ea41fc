"use strict";
// What all charts share: the look in light and dark, marks beside colours, axes with units; a chart is made when it comes into view.

const COLOURS = {
  NEWNET: "#D55E00",
  NEWNS: "#0072B2",
  NEWIPC: "#009E73",
  NEWUSER: "#CC79A7",
  NEWPID: "#E69F00",
  NEWTIME: "#56B4E9",
  NEWCGROUP: "#8A8A8A",
  NEWUTS: "#A03060",
  none: "#222222",
};
const DARK_COLOURS = { NEWNS: "#4A9BE0", NEWUTS: "#D8709C", none: "#E8E8E8", NEWCGROUP: "#A8A8A8" };
const MARKS = {
  NEWNET: "rect",
  NEWNS: "triangle",
  NEWIPC: "diamond",
  NEWUSER: "path://M0,0L10,0L5,9z",
  NEWPID: "circle",
  NEWTIME: "path://M4,0h3v4h4v3h-4v4h-3v-4h-4v-3h4z",
  NEWCGROUP: "roundRect",
  NEWUTS: "path://M5,0L10,4L8,10L2,10L0,4z",
  none: "path://M0,3h10v4h-10z",
};
const SERIES = [
  "#3B8BC4",
  "#E69F00",
  "#009E73",
  "#CC79A7",
  "#56B4E9",
  "#D55E00",
  "#A03060",
  "#999933",
  "#7B6FD0",
  "#BBBBBB",
];
const SEQUENTIAL = [
  "#00224e",
  "#123570",
  "#3b496c",
  "#575d6d",
  "#707173",
  "#8a8678",
  "#a59c74",
  "#c3b369",
  "#e1cc55",
  "#fee838",
];
const DIVERGING = ["#b35806", "#e08214", "#fdb863", "#fee0b6", "#f7f7f7", "#d8daeb", "#b2abd2", "#8073ac", "#542788"];

const isDark = () => document.documentElement.dataset.theme === "dark";
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colourOf = (set, index = 0) =>
  (isDark() && DARK_COLOURS[set]) ||
  COLOURS[set] ||
  (set === DATA.all ? (isDark() ? "#A59BF0" : "#332288") : SERIES[index % SERIES.length]);
const markOf = (set) => MARKS[set] ?? "circle";

const BUILDERS = new Map(); // element id → what makes its option of STATE, or says in a string why there is none
const CHARTS = new Map(); // element id → the chart, once it was in view

function declare(id, builder) {
  BUILDERS.set(id, builder);
}

function draw(id) {
  const element = document.getElementById(id);
  const option = BUILDERS.get(id)();
  const old = CHARTS.get(id);
  if (typeof option === "string") {
    old?.dispose();
    CHARTS.set(id, null);
    element.classList.add("empty");
    element.style.height = "";
    element.textContent = option;
    return;
  }
  if (!old) {
    element.classList.remove("empty");
    element.textContent = "";
  }
  const { pixels, ...rest } = option;
  element.style.height = pixels ? `${pixels}px` : "";
  const chart = old ?? echarts.init(element, isDark() ? "dark" : null, { renderer: "canvas" });
  CHARTS.set(id, chart);
  chart.resize();
  chart.setOption({ ...common(), ...rest }, { notMerge: true });
}

/** Draws again what has been in view; the others will be when they come into view. */
function redraw() {
  for (const id of CHARTS.keys()) draw(id);
}

function restyle() {
  for (const [id, chart] of CHARTS) {
    chart?.dispose();
    CHARTS.set(id, undefined);
  }
  redraw();
}

function watch() {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting && !CHARTS.has(entry.target.id)) draw(entry.target.id);
    },
    { rootMargin: "300px" },
  );
  for (const id of BUILDERS.keys()) observer.observe(document.getElementById(id));
  addEventListener("resize", () => CHARTS.forEach((chart) => chart?.resize()));
}

function common() {
  return {
    animation: false,
    backgroundColor: "transparent",
    textStyle: { color: css("--text"), fontFamily: "system-ui, DejaVu Sans, sans-serif" },
    aria: { enabled: true },
    toolbox: toolbox(),
    grid: { left: 28, right: 24, top: 56, bottom: 34, containLabel: true },
  };
}

function toolbox(zoom = true) {
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
      saveAsImage: { title: "PNG", pixelRatio: 2, backgroundColor: css("--back") },
    },
  };
}

function heading(text) {
  return { text, textStyle: { fontSize: 14, fontWeight: 600, color: css("--text") }, left: 0, top: 0 };
}

function legend(more = {}) {
  return {
    type: "scroll",
    top: 24,
    left: 0,
    right: 8,
    textStyle: { color: css("--text") },
    pageTextStyle: { color: css("--text") },
    pageIconColor: css("--accent"),
    ...more,
  };
}

function tooltip(more = {}) {
  return {
    confine: true,
    backgroundColor: css("--panel"),
    borderColor: css("--line"),
    textStyle: { color: css("--text"), fontSize: 12 },
    ...more,
  };
}

function axis(name, more = {}) {
  return {
    name,
    nameLocation: "middle",
    nameGap: 34,
    nameTextStyle: { color: css("--text") },
    axisLabel: { color: css("--text"), hideOverlap: true },
    axisLine: { show: true, lineStyle: { color: css("--dim") } },
    splitLine: { lineStyle: { color: css("--line") } },
    minorSplitLine: { show: false },
    ...more,
  };
}

/** A value axis on the reader's scale. */
function timeAxis(name, more = {}) {
  const log = STATE.scale === "log";
  return axis(name, {
    type: log ? "log" : "value",
    logBase: 10,
    min: log ? lowest : undefined,
    axisLabel: {
      color: css("--text"),
      hideOverlap: true,
      formatter: (value) => Number(value.toPrecision(6)).toLocaleString("en", { maximumSignificantDigits: 6 }),
    },
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

function interval(row, low, high, clock) {
  return row[low] === null ? "" : ` (95%: ${timeText(row[low], clock)} … ${timeText(row[high], clock)})`;
}
