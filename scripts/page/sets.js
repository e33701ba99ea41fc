"use strict";
// The plots of sets and kinds. Times are stored in ns or instructions and shown in thousands.

/** All subsets in the order of a binary count whose highest bit is the first. */
function subsets(members) {
  return Array.from({ length: 2 ** members.length }, (_, value) =>
    members.filter((_flag, bit) => (value >> (members.length - 1 - bit)) & 1),
  );
}

/** The runs that are shown: one, or two with a dash pattern for the second. */
function shownRuns() {
  return [STATE.first, STATE.second].filter(Boolean);
}

function nothing(what) {
  return `${what}: ${STATE.first.name} has none of ${STATE.operation}, phase ${STATE.phase}.`;
}

declare("sets", () => {
  const { first, second, operation, phase, shown } = STATE;
  if (shown === "ratio" && !second) return "A ratio takes a second run: choose one at 'beside'.";
  const ups = subsets(DATA.rows.filter((flag) => STATE.kinds.has(flag))).reverse();
  const acrosses = subsets(DATA.columns.filter((flag) => STATE.kinds.has(flag)));
  const cells = [];
  ups.forEach((up, y) =>
    acrosses.forEach((across, x) => {
      const set = setOf([...up, ...across]);
      const row = setRow(first, operation, set, phase);
      const other = setRow(second, operation, set, phase);
      const value = shown === "ratio" ? (row && other ? other.median / row.median : null) : row ? row[shown] : null;
      if (value !== null && value !== undefined) cells.push({ set, row, other, x, y, value });
    }),
  );
  if (cells.length < 2) return nothing("Sets");
  const log = STATE.scale === "log" || shown === "ratio";
  const positive = cells
    .map((cell) => cell.value)
    .filter((value) => value > 0)
    .sort((a, b) => a - b);
  if (log && !positive.length) return nothing("Sets above zero, which a logarithmic scale needs");
  const floor = positive[Math.floor(positive.length / 50)];
  const scaled = (value) => (log ? Math.log10(Math.max(value, floor)) : value);
  let [low, high] = [
    Math.min(...cells.map((cell) => scaled(cell.value))),
    Math.max(...cells.map((cell) => scaled(cell.value))),
  ];
  if (shown === "ratio") ((high = Math.max(Math.abs(low), Math.abs(high), 0.01)), (low = -high));
  const unit = shown === "ratio" ? "×" : unitOf(first.clock);
  const shortUnit = shown === "ratio" ? "×" : shortUnitOf(first.clock);
  const factor = shown === "ratio" ? 1 : 1000;
  const real = (value) => threeDigits((log ? 10 ** value : value) / factor);
  return {
    title: heading(
      `${operation}, ${phase}: ${shown === "ratio" ? `${second.name} ÷ ${first.name}` : `${shown} in ${unit}`}`,
    ),
    toolbox: toolbox(false),
    tooltip: tooltip({
      formatter: ({ data }) => {
        const { set, row, other, value } = data.cell;
        const lines = [
          `<b>${labelOf(set)}</b>`,
          escaped(row.case),
          `median ${timeText(row.median, first.clock)}${interval(row, "ci_low", "ci_high", first.clock)}`,
        ];
        if (row.delta !== null)
          lines.push(
            `delta ${timeText(row.delta, first.clock)}${interval(row, "delta_low", "delta_high", first.clock)}`,
          );
        if (other)
          lines.push(
            `${escaped(second.name)}: median ${timeText(other.median, first.clock)}, ×${threeDigits(other.median / row.median)}`,
          );
        return (
          lines.join("<br>") +
          (shown === "ratio" ? "" : `<br>${row.samples} samples, ${escaped(row.status)}`) +
          (value <= 0 ? "<br>not above zero" : "")
        );
      },
    }),
    grid: { left: 32, right: 110, top: 32, bottom: 30, containLabel: true },
    xAxis: axis("… and of these", {
      type: "category",
      nameGap: 74,
      data: acrosses.map((one) => one.map((flag) => DATA.kinds[flag]).join("\n") || "–"),
      axisLabel: { color: css("--text"), interval: 0, lineHeight: 14 },
    }),
    yAxis: axis("the set consists of these …", {
      type: "category",
      nameGap: 116,
      data: ups.map((one) => one.map((flag) => DATA.kinds[flag]).join(" ") || "–"),
      axisLabel: { color: css("--text"), interval: 0 },
    }),
    visualMap: {
      min: low,
      max: high === low ? low + 1 : high,
      calculable: true,
      dimension: 2,
      orient: "vertical",
      right: 0,
      top: "middle",
      precision: 3,
      itemHeight: 280,
      inRange: { color: shown === "ratio" ? DIVERGING : SEQUENTIAL },
      formatter: real,
      textStyle: { color: css("--text") },
      text: [shortUnit, ""],
    },
    series: [
      {
        type: "heatmap",
        itemStyle: { borderColor: css("--back"), borderWidth: 1 },
        emphasis: { itemStyle: { borderColor: css("--accent"), borderWidth: 2 } },
        data: cells.map((cell) => ({
          value: [cell.x, cell.y, scaled(cell.value)],
          cell,
          label: {
            show: true,
            fontSize: 10,
            formatter: threeDigits(cell.value / factor),
            color:
              shown === "ratio"
                ? Math.abs(scaled(cell.value)) > 0.65 * high
                  ? "#fff"
                  : "#111"
                : (scaled(cell.value) - low) / (high - low) > 0.5
                  ? "#111"
                  : "#fff",
          },
        })),
      },
    ],
  };
});

/** The single kinds' rows that have a delta. */
function singles(run, operation, phase) {
  return FLAGS()
    .filter(isChosen)
    .map((flag) => [flag, setRow(run, operation, flag, phase)])
    .filter(([, row]) => row && row.delta !== null);
}

declare("added", () => {
  const { first, operation, phase } = STATE;
  const order = singles(first, operation, phase)
    .sort(([, a], [, b]) => a.delta - b.delta)
    .map(([flag]) => flag);
  if (!order.length) return nothing("Single kinds with a delta");
  const series = [];
  // On a logarithmic axis an interval that reaches zero ends at its left edge.
  const positive = order
    .map((flag) => setRow(first, operation, flag, phase))
    .flatMap((row) => [row.delta, row.delta_low])
    .filter((value) => value > 0);
  const least = STATE.scale === "log" ? Math.min(...positive) / 2 : -Infinity;
  shownRuns().forEach((run, number) => {
    const rows = new Map(singles(run, operation, phase));
    series.push({
      name: run.name,
      type: "scatter",
      symbolSize: 11,
      color: css("--dim"),
      itemStyle: { color: css("--dim"), opacity: number ? 0.55 : 1 },
      data: order
        .map((flag, y) => [drawable((rows.get(flag)?.delta ?? NaN) / 1000), y, flag])
        .filter(([x]) => x !== null)
        .map((value) => ({
          value,
          symbol: markOf(value[2]),
          itemStyle: { color: colourOf(value[2]), opacity: number ? 0.55 : 1 },
        })),
    });
    series.push({
      name: run.name,
      type: "custom",
      color: css("--dim"),
      silent: true,
      encode: { x: [0, 1], y: 2 },
      data: order
        .map((flag, y) => {
          const row = rows.get(flag);
          return row && row.delta_low !== null
            ? [Math.max(row.delta_low, least) / 1000, Math.max(row.delta_high, least) / 1000, y, flag]
            : null;
        })
        .filter(Boolean),
      renderItem: (_params, api) => {
        const [left] = api.coord([api.value(0), api.value(2)]);
        const [right, y] = api.coord([api.value(1), api.value(2)]);
        return {
          type: "line",
          shape: { x1: left, x2: right, y1: y + number * 6, y2: y + number * 6 },
          style: { stroke: colourOf(order[api.value(2)]), lineWidth: 2, lineDash: number ? [4, 3] : null },
        };
      },
    });
  });
  return {
    title: heading(`What each kind adds to ${operation}`),
    series,
    legend: STATE.second ? legend() : undefined,
    tooltip: tooltip({
      formatter: ({ seriesName, data }) => {
        const run = shownRuns().find((one) => one.name === seriesName);
        const row = setRow(run, operation, data.value[2], phase);
        return `${escaped(run.name)}<br><b>${labelOf(data.value[2])}</b> adds ${timeText(row.delta, run.clock)}${interval(row, "delta_low", "delta_high", run.clock)}`;
      },
    }),
    xAxis: timeAxis(`delta of ${phase} in ${unitOf(first.clock)}, with its 95% interval`),
    yAxis: axis("", { type: "category", data: order.map(labelOf) }),
  };
});

/** Sets of two kinds or more: measured delta beside the sum of their kinds'. */
function sumsOf(run, operation, phase) {
  const alone = new Map(singles(run, operation, phase));
  return Object.keys(run?.operations[operation]?.sets ?? {})
    .map((set) => {
      const flags = flagsOf(set);
      const row = setRow(run, operation, set, phase);
      if (flags.length < 2 || !row || row.delta === null || !flags.every((flag) => alone.has(flag))) return null;
      return { set, row, flags, measured: row.delta, sum: flags.reduce((sum, flag) => sum + alone.get(flag).delta, 0) };
    })
    .filter(Boolean);
}

declare("sums", () => {
  const { first, operation, phase } = STATE;
  const all = sumsOf(first, operation, phase).filter(
    ({ measured, sum }) => STATE.scale !== "log" || (measured > 0 && sum > 0),
  );
  if (all.length < 3) return nothing("Sets beside the sum of their kinds");
  const holds = ({ row, sum }) => row.delta_low <= sum && sum <= row.delta_high;
  const ends = [
    Math.min(...all.flatMap((one) => [one.sum, one.measured])),
    Math.max(...all.flatMap((one) => [one.sum, one.measured])),
  ].map((end) => end / 1000);
  const unit = unitOf(first.clock);
  const groups = [
    ["the interval holds the sum", (one) => holds(one), "emptyCircle", SERIES[0]],
    ["it does not", (one) => !holds(one), "circle", SERIES[5]],
  ];
  return {
    title: heading("Do sets cost the sum of their kinds?"),
    legend: legend(),
    tooltip: tooltip({
      formatter: ({ data }) =>
        data?.one
          ? `<b>${labelOf(data.one.set)}</b><br>measured ${timeText(data.one.measured, first.clock)}${interval(data.one.row, "delta_low", "delta_high", first.clock)}<br>sum ${timeText(data.one.sum, first.clock)}`
          : "",
    }),
    xAxis: timeAxis(`sum of the kinds' deltas in ${unit}`),
    yAxis: timeAxis(`measured delta in ${unit}`, { nameGap: 46 }),
    series: [
      ...groups.map(([name, belongs, symbol, color]) => ({
        name,
        type: "scatter",
        symbol,
        symbolSize: 7,
        itemStyle: { color },
        data: all.filter(belongs).map((one) => ({ value: [one.sum / 1000, one.measured / 1000], one })),
      })),
      {
        name: "the sum",
        type: "line",
        symbol: "none",
        silent: true,
        lineStyle: { type: "dashed", color: css("--dim") },
        itemStyle: { color: css("--dim") },
        data: ends.map((end) => [end, end]),
      },
    ],
  };
});

declare("pairs", () => {
  const { first, operation, phase } = STATE;
  const order = [...DATA.rows, ...DATA.columns].filter(isChosen);
  const pairs = new Map(
    sumsOf(first, operation, phase)
      .filter(({ flags }) => flags.length === 2)
      .map((one) => [one.set, one]),
  );
  if (pairs.size < 2) return nothing("Pairs of kinds");
  const cells = [];
  order.forEach((up, y) =>
    order.forEach((across, x) => {
      const one = pairs.get(setOf([up, across]));
      if (up !== across && one) cells.push({ value: [x, order.length - 1 - y, (one.measured - one.sum) / 1000], one });
    }),
  );
  const limit = Math.max(...cells.map(({ value }) => Math.abs(value[2])), 1e-9);
  const [unit, shortUnit] = [unitOf(first.clock), shortUnitOf(first.clock)];
  const names = order.map(labelOf);
  return {
    title: heading(`Pairs: measured delta less the sum of both, in ${unit}`),
    toolbox: toolbox(false),
    tooltip: tooltip({
      formatter: ({ data: { one } }) =>
        `<b>${labelOf(one.set)}</b><br>measured ${timeText(one.measured, first.clock)}${interval(one.row, "delta_low", "delta_high", first.clock)}<br>sum ${timeText(one.sum, first.clock)}`,
    }),
    grid: { left: 8, right: 110, top: 32, bottom: 8, containLabel: true },
    xAxis: axis("", { type: "category", data: names }),
    yAxis: axis("", { type: "category", data: [...names].reverse() }),
    visualMap: {
      min: -limit,
      max: limit,
      calculable: true,
      dimension: 2,
      right: 0,
      top: "middle",
      itemHeight: 200,
      precision: 2,
      inRange: { color: DIVERGING },
      textStyle: { color: css("--text") },
      text: [shortUnit, ""],
    },
    series: [
      {
        type: "heatmap",
        itemStyle: { borderColor: css("--back"), borderWidth: 1 },
        data: cells.map((cell) => ({
          ...cell,
          label: {
            show: true,
            fontSize: 11,
            formatter: threeDigits(cell.value[2]),
            color: Math.abs(cell.value[2]) > 0.65 * limit ? "#fff" : "#111",
          },
        })),
      },
    ],
  };
});
