"use strict";
// The look in light and dark: colours, and marks and patterns beside them.

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

/** Seconds of a palette: a pattern tells them from the first that have the colour. */
const PATTERNS = [
  undefined,
  {
    symbol: "rect",
    symbolSize: 1,
    color: "rgba(0,0,0,0.45)",
    dashArrayX: [1, 0],
    dashArrayY: [2, 4],
    rotation: Math.PI / 4,
  },
  {
    symbol: "circle",
    symbolSize: 0.8,
    color: "rgba(0,0,0,0.45)",
    dashArrayX: [
      [6, 6],
      [0, 6, 6, 0],
    ],
    dashArrayY: [5, 0],
  },
  {
    symbol: "rect",
    symbolSize: 1,
    color: "rgba(0,0,0,0.45)",
    dashArrayX: [1, 0],
    dashArrayY: [2, 4],
    rotation: -Math.PI / 4,
  },
];
const GREY = "#BBBBBB"; // of what is no single thing

/** The look of the one at this place of a list, in which no two are alike: 36 are told apart. */
function lookAt(index) {
  const colours = SERIES.filter((colour) => colour !== GREY);
  const pattern = PATTERNS[Math.floor(index / colours.length) % PATTERNS.length];
  return { color: colours[index % colours.length], decal: pattern ?? { symbol: "none" } };
}
