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

declare("sets", (width) => {
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
      const figure = shown === "ratio" ? (row && other ? other.median / row.median : null) : row ? row[shown] : null;
      if (figure !== null && figure !== undefined) cells.push({ set, row, other, x, y, figure });
    }),
  );
  if (cells.length < 2) return nothing("Sets");
  const isRatio = shown === "ratio";
  const log = STATE.scale === "log" || isRatio;
  const positive = cells
    .map((cell) => cell.figure)
    .filter((value) => value > 0)
    .sort((a, b) => a - b);
  if (log && !positive.length) return nothing("Sets above zero, which a logarithmic scale needs");
  const floor = positive[Math.floor(positive.length / 50)];
  const scaled = (value) => (log ? Math.log10(Math.max(value, floor)) : value);
  let [low, high] = [
    Math.min(...cells.map((cell) => scaled(cell.figure))),
    Math.max(...cells.map((cell) => scaled(cell.figure))),
  ];
  if (isRatio) ((high = Math.max(Math.abs(low), Math.abs(high), 0.01)), (low = -high));
  if (high === low) high = low + 1;
  const text = (value) => (isRatio ? changeOf(value) : threeDigits(value / 1000));
  for (const cell of cells) {
    cell.value = scaled(cell.figure);
    cell.text = text(cell.figure);
    cell.isLight = isRatio ? Math.abs(cell.value) <= 0.65 * high : (cell.value - low) / (high - low) > 0.5;
  }
  const whole = (value) => (isRatio ? changeOf(value) : timeText(value, first.clock));
  const sorted = [...cells].sort((a, b) => a.figure - b.figure);
  const below = log && !isRatio ? sorted.filter((cell) => cell.figure <= 0) : [];
  const made = heatMap({
    cells,
    across: acrosses.map((one) => one.map((flag) => DATA.kinds[flag]).join("\n") || "–"),
    down: ups.map((one) => one.map((flag) => DATA.kinds[flag]).join(" ") || "–"),
    names: ["… and of these", "the set consists of these …"],
    low,
    high,
    colours: isRatio ? DIVERGING : SEQUENTIAL,
    real: (value) => text(log ? 10 ** value : value),
    unit: isRatio ? "" : shortUnitOf(first.clock),
    width,
    tip: ({ set, row, other, figure }) => {
      const lines = [
        `<b>${labelOf(set)}</b>`,
        escaped(row.case),
        `median ${timeText(row.median, first.clock)}${interval(row, "ci_low", "ci_high", first.clock)}`,
      ];
      if (row.delta !== null)
        lines.push(`delta ${timeText(row.delta, first.clock)}${interval(row, "delta_low", "delta_high", first.clock)}`);
      if (other)
        lines.push(
          `${escaped(second.name)}: median ${timeText(other.median, first.clock)}, ${changeOf(other.median / row.median)}`,
        );
      if (!isRatio) lines.push(`${row.samples} samples, ${escaped(row.status)}`);
      if (figure <= 0) lines.push("not above zero");
      return lines.join("<br>");
    },
  });
  return {
    ...made,
    caption: `${operation}, ${phase}: ${isRatio ? `${second.name} ÷ ${first.name}` : `${shown} in ${unitOf(first.clock)}`}`,
    said: `${cells.length} sets, from ${labelOf(sorted[0].set)} ${whole(sorted[0].figure)} to ${labelOf(sorted.at(-1).set)} ${whole(sorted.at(-1).figure)}`,
    note: [
      below.length
        ? `${below.length} sets are not above zero, down to ${whole(below[0].figure)} of ${labelOf(below[0].set)}: on a logarithmic scale they have the darkest colour.`
        : "",
      made.note,
    ]
      .filter(Boolean)
      .join(" "),
  };
});

/** The single kinds' rows that have a delta. */
function singles(run, operation, phase) {
  return FLAGS()
    .filter(isChosen)
    .map((flag) => [flag, setRow(run, operation, flag, phase)])
    .filter(([, row]) => row && row.delta !== null);
}

declare("added", (width) => {
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
          symbol: hasInterval(rows.get(value[2])) ? markOf(value[2]) : hollow(markOf(value[2])),
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
  const rowsOf = (run) =>
    order
      .map((flag) => [flag, setRow(run, operation, flag, phase)])
      .filter(([, row]) => row?.delta !== undefined && row.delta !== null);
  const isLog = STATE.scale === "log";
  const named = (run, flag) => labelOf(flag) + (STATE.second ? ` of ${run.name}` : "");
  const shown = shownRuns().flatMap((run) => rowsOf(run).map(([flag, row]) => [run, flag, row]));
  const unknown = shown.filter(([, , row]) => !hasInterval(row) && (!isLog || row.delta > 0));
  const reaching = shown.filter(([, , row]) => isLog && row.delta > 0 && row.delta_low !== null && row.delta_low <= 0);
  return {
    caption: `What each kind adds to ${operation}`,
    said: shown.map(([run, flag, row]) => `${named(run, flag)} ${timeText(row.delta, run.clock)}`).join(", "),
    note: [
      isLog
        ? leftOut(
            shown
              .filter(([, , row]) => row.delta <= 0)
              .map(([run, flag, row]) => [named(run, flag), timeText(row.delta, run.clock)]),
          )
        : "",
      reaching.length
        ? `Not told from zero, where their intervals end at the left: ${reaching.map(([run, flag]) => named(run, flag)).join(", ")}.`
        : "",
      unknown.length
        ? `Hollow, without an interval, so that nothing tells them from zero: ${unknown.map(([run, flag]) => named(run, flag)).join(", ")}.`
        : "",
    ]
      .filter(Boolean)
      .join(" "),
    series,
    legend: STATE.second ? legend(shownRuns().map((run) => run.name)) : undefined,
    tooltip: tooltip({
      formatter: ({ seriesName, data }) => {
        const run = shownRuns().find((one) => one.name === seriesName);
        const row = setRow(run, operation, data.value[2], phase);
        return `${escaped(run.name)}<br><b>${labelOf(data.value[2])}</b> adds ${timeText(row.delta, run.clock)}${interval(row, "delta_low", "delta_high", run.clock)}`;
      },
    }),
    xAxis: timeAxis(`delta of ${phase} in ${unitOf(first.clock)}, with its 95% interval`),
    yAxis: nameAxis(order.map(labelOf), width),
  };
});

/** Whether the row says between what its delta lies: with few rounds none does. */
const hasInterval = (row) => row.delta_low !== null && row.delta_high !== null;
const hollow = (mark) => `empty${mark[0].toUpperCase()}${mark.slice(1)}`;

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
  const every = sumsOf(first, operation, phase);
  const all = every.filter(({ measured, sum }) => STATE.scale !== "log" || (measured > 0 && sum > 0));
  if (all.length < 3) return nothing("Sets beside the sum of their kinds");
  const holds = ({ row, sum }) => row.delta_low <= sum && sum <= row.delta_high;
  const known = ({ row }) => hasInterval(row);
  const ends = [
    Math.min(...all.flatMap((one) => [one.sum, one.measured])),
    Math.max(...all.flatMap((one) => [one.sum, one.measured])),
  ].map((end) => end / 1000);
  const unit = unitOf(first.clock);
  const groups = [
    ["the interval holds the sum", (one) => known(one) && holds(one), "emptyCircle", SERIES[0]],
    ["it does not", (one) => known(one) && !holds(one), "circle", SERIES[5]],
    ...(all.every(known) ? [] : [["no interval", (one) => !known(one), "emptyCircle", css("--dim")]]),
  ];
  return {
    caption: `Do sets cost the sum of their kinds? Upwards: the measured delta in ${unit}`,
    said: groups.map(([name, belongs]) => `${all.filter(belongs).length} sets: ${name}`).join(", "),
    note: leftOut(
      every
        .filter((one) => !all.includes(one))
        .map((one) => [
          labelOf(one.set),
          `${timeText(one.measured, first.clock)} beside ${timeText(one.sum, first.clock)}`,
        ]),
    ),
    legend: legend([...groups.map(([name]) => name), "the sum"]),
    tooltip: tooltip({
      formatter: ({ data }) =>
        data?.one
          ? `<b>${labelOf(data.one.set)}</b><br>measured ${timeText(data.one.measured, first.clock)}${interval(data.one.row, "delta_low", "delta_high", first.clock)}<br>sum ${timeText(data.one.sum, first.clock)}`
          : "",
    }),
    xAxis: timeAxis(`sum of the kinds' deltas in ${unit}`),
    yAxis: timeAxis(""),
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

declare("pairs", (width) => {
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
      if (up !== across && one) cells.push({ x, y: order.length - 1 - y, value: (one.measured - one.sum) / 1000, one });
    }),
  );
  const limit = Math.max(...cells.map(({ value }) => Math.abs(value)), 1e-9);
  const names = order.map(labelOf);
  const told = ({ one }) =>
    `<b>${labelOf(one.set)}</b><br>measured ${timeText(one.measured, first.clock)}${interval(one.row, "delta_low", "delta_high", first.clock)}<br>sum ${timeText(one.sum, first.clock)}`;
  const sorted = [...pairs.values()].sort((a, b) => a.measured - a.sum - (b.measured - b.sum));
  const off = ({ set, measured, sum }) => `${labelOf(set)} ${timeText(measured - sum, first.clock)}`;
  return {
    ...heatMap({
      cells: cells.map((cell) => ({
        ...cell,
        text: threeDigits(cell.value),
        isLight: Math.abs(cell.value) <= 0.65 * limit,
      })),
      across: names,
      down: [...names].reverse(),
      low: -limit,
      high: limit,
      colours: DIVERGING,
      real: threeDigits,
      unit: shortUnitOf(first.clock),
      width,
      tip: told,
    }),
    caption: `Pairs: measured delta less the sum of both, in ${unitOf(first.clock)}`,
    said: `${pairs.size} pairs, from ${off(sorted[0])} to ${off(sorted.at(-1))}`,
  };
});
