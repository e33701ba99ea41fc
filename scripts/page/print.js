"use strict";
// A printed page has all charts, also those that were never in view, as wide as the paper and dark on light.

let before = null; // the theme on the screen

function preparePrint() {
  if (before !== null) return;
  before = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  document.documentElement.dataset.print = "yes";
  restyle(true);
  fitFlameToPaper();
}

/** As it stands on the screen: a new graph's frames come by a transition, which begins when the paper is printed. */
function fitFlameToPaper() {
  const svg = document.querySelector("#flame svg");
  if (!svg) return;
  svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
  svg.setAttribute("width", "100%");
  svg.removeAttribute("height");
}

function endPrint() {
  if (before === null) return;
  document.documentElement.dataset.theme = before;
  delete document.documentElement.dataset.print;
  before = null;
  restyle();
  drawFlame();
}

addEventListener("beforeprint", () => DATA && preparePrint());
addEventListener("afterprint", () => DATA && endPrint());
