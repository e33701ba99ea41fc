"use strict";
// Small multiples: a panel for each set, each with a linear axis of its own that begins at zero, since their sizes differ a
// hundredfold and lines on a logarithmic axis hide changes.

const PANEL = { least: 158, most: 5, height: 196, head: 44 };

/**
 * `names` are along the panels' x axes; a panel has `set`, `head` (two lines above it) and `lines`, each with `points`: [place,
 * value, low, high] and what a tooltip says of it; one with a `look`, { colour, mark }, has that in place of the set's. Values are
 * in thousands. Lines called as in `told` are in a legend.
 */
function smallMultiples(panels, names, width, told = []) {
  const room = told.length
    ? Math.max(legendRoom(told, width - (toolRoom(width) && TOOLS.width) - 8), toolRoom(width))
    : toolRoom(width);
  const across = Math.max(1, Math.min(PANEL.most, panels.length, Math.floor(width / PANEL.least)));
  const step = width / across;
  const down = Math.ceil(panels.length / across);
  const place = (index) => ({
    left: (index % across) * step,
    top: room + Math.floor(index / across) * PANEL.height,
  });
  return {
    pixels: room + down * PANEL.height + 8,
    isWhole: true,
    ...(told.length ? { legend: legend(told) } : {}),
    title: panels.map(({ head: [name, text] }, index) => ({
      ...place(index),
      text: name,
      subtext: text,
      padding: 0,
      itemGap: 2,
      textStyle: { fontSize: 12, lineHeight: 18, color: css("--text") },
      subtextStyle: { fontSize: 11, lineHeight: 16, color: css("--dim") },
    })),
    grid: panels.map((_panel, index) => {
      const { left, top } = place(index);
      return { left: left + 46, top: top + PANEL.head, width: step - 64, height: PANEL.height - PANEL.head - 34 };
    }),
    xAxis: panels.map((_panel, index) =>
      axis("", { gridIndex: index, type: "category", data: names, splitLine: { show: false }, axisLabel: small() }),
    ),
    yAxis: panels.map((panel, index) =>
      axis("", { gridIndex: index, type: "value", splitNumber: 3, ...spanOf(panel), axisLabel: small(plainNumber) }),
    ),
    series: panels.flatMap((panel, index) =>
      panel.lines.flatMap((line, number) => panelSeries(panel.set, line, index, number)),
    ),
    tooltip: tooltip({ formatter: ({ data }) => data?.text ?? "" }),
  };
}

const small = (formatter) => ({ color: css("--text"), fontSize: 10, hideOverlap: true, formatter });

/** From zero, or from below it, to a little above the largest. */
function spanOf({ lines }) {
  const all = lines.flatMap(({ points }) => points.flatMap(({ at: [, ...values] }) => values)).filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...all), Math.max(0, ...all)];
  const tick = 10 ** Math.floor(Math.log10(Math.max(high - low, 1e-9) / 3));
  const step = [1, 2, 5, 10].map((one) => one * tick).find((one) => (high - low) * 1.1 <= one * 4) ?? tick * 10;
  return {
    min: Math.floor((low * 1.05) / step) * step,
    max: Math.ceil((high * 1.05) / step) * step || 1,
    interval: step,
  };
}

function panelSeries(set, { name, points, look }, index, number) {
  const colour = look?.colour ?? colourOf(set, index);
  const shared = { name, xAxisIndex: index, yAxisIndex: index, color: colour };
  return [
    {
      ...shared,
      type: "line",
      connectNulls: true,
      symbol: look?.mark ?? markOf(set),
      symbolSize: 7,
      lineStyle: { color: colour, width: 2, type: number && !look ? "dashed" : "solid" },
      data: points.map(({ at, text }) => ({ value: [at[0], at[1]], text })),
    },
    {
      ...shared,
      type: "custom",
      silent: true,
      encode: { x: 0, y: [2, 3] },
      data: points.filter(({ at }) => Number.isFinite(at[2])).map(({ at }) => ({ value: at })),
      renderItem: (_params, api) => {
        const [x, y1] = api.coord([api.value(0), api.value(2)]);
        const [, y2] = api.coord([api.value(0), api.value(3)]);
        return { type: "line", shape: { x1: x, x2: x, y1, y2 }, style: { stroke: colour, lineWidth: 1.2 } };
      },
    },
  ];
}

/** From the first point to the last, and by how much that is a change. */
function fromTo(points, clock) {
  const known = points.filter(({ at }) => Number.isFinite(at[1]));
  if (!known.length) return "–";
  const [first, last] = [known[0].at[1] * 1000, known.at(-1).at[1] * 1000];
  const change = known.length > 1 && first > 0 && last > 0 ? `, ${changeOf(last / first)}` : "";
  return `${shortTime(first, clock)} → ${shortTime(last, clock)}${change}`;
}
