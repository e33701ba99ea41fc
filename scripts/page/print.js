"use strict";
// A printed page has all charts, also those that were never in view, as wide as the paper and dark on light.

let before = null; // the theme on the screen

function preparePrint() {
  if (before !== null) return;
  before = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  document.documentElement.dataset.print = "yes";
  restyle(true);
  drawFlame();
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
