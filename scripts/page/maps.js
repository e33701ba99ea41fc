"use strict";
// A map of cells with figures in them, where these have room.

/** Whether texts of this size fit cells so wide: a label that covers its neighbour says nothing. */
const fits = (texts, size, room) => widest(texts, size) + 3 <= room;

/** A map of cells, each { x, y, value, text, strong, ... }: `value` is on the colours' scale, `text` stands in it where it fits. */
function heatMap({ cells, across, down, names, low, high, colours, real, unit, width, tip }) {
  const isNarrow = width < NARROW;
  const left = widest(down) + (names ? 34 : 12);
  const right = isNarrow ? 8 : 96;
  const cell = (width - left - right) / across.length;
  const isUpright = !fits(across, 12, cell);
  const labels = isUpright ? across.map((one) => one.replaceAll("\n", " ")) : across;
  const size = [11, 10, 9].find((one) =>
    fits(
      cells.map(({ text }) => text),
      one,
      cell,
    ),
  );
  const upright = Math.min(12, Math.floor(cell * 0.65)); // the size of letters that stand beside each other
  const below =
    (isUpright ? widest(labels, upright) : 14 * Math.max(...labels.map((one) => one.split("\n").length))) + 12;
  const bottom = below + (names ? 22 : 0) + (isNarrow ? 74 : 0);
  const labelled = { color: css("--text"), interval: 0 };
  return {
    pixels: 8 + toolRoom(width) + bottom + down.length * (isNarrow ? 22 : 30),
    isWhole: true,
    tooltip: tooltip({ formatter: ({ data }) => tip(data.cell) }),
    grid: { left, right, top: 8 + toolRoom(width), bottom },
    xAxis: axis(names?.[0] ?? "", {
      type: "category",
      nameGap: below,
      data: labels,
      axisLabel: isUpright ? { ...labelled, rotate: 90, fontSize: upright } : { ...labelled, lineHeight: 14 },
    }),
    yAxis: axis(names?.[1] ?? "", { type: "category", nameGap: left - 18, data: down, axisLabel: labelled }),
    visualMap: {
      min: low,
      max: high,
      calculable: true,
      dimension: 2,
      precision: 3,
      orient: isNarrow ? "horizontal" : "vertical",
      ...(isNarrow
        ? { left: "center", bottom: 0, itemHeight: Math.min(200, width - 160) }
        : { right: 0, top: "middle", itemHeight: Math.min(240, 30 * down.length - 70) }),
      inRange: { color: colours },
      formatter: real,
      textStyle: { color: css("--text") },
      text: isNarrow ? undefined : [unit, ""],
    },
    series: [
      {
        type: "heatmap",
        itemStyle: { borderColor: css("--back"), borderWidth: 1 },
        emphasis: { itemStyle: { borderColor: css("--accent"), borderWidth: 2 } },
        data: cells.map((one) => ({
          value: [one.x, one.y, one.value],
          cell: one,
          label: {
            show: size !== undefined,
            fontSize: size,
            formatter: one.text,
            color: one.isLight ? "#111" : "#fff",
          },
        })),
      },
    ],
    ...(size === undefined ? { note: "There is no room for figures here: tap a cell, or turn the screen." } : {}),
  };
}
