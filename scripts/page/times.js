"use strict";
// The plots of times: over stacks, distributions, phases, drains, from kernel to kernel.

/** Lines of several sets for each shown run; the second run is dashed. */
function lines(points, runs = shownRuns()) {
  const series = [];
  runs.forEach((run, number) => {
    points(run).forEach(([set, data], index) =>
      series.push({
        name: labelOf(set) + (number ? `, ${run.name}` : ""),
        type: "line",
        data,
        connectNulls: true,
        symbol: markOf(set),
        symbolSize: 8,
        showSymbol: data.length < 20,
        color: colourOf(set, index),
        lineStyle: { color: colourOf(set, index), type: number ? "dashed" : "solid", width: 2 },
        itemStyle: { color: colourOf(set, index) },
        emphasis: { focus: "series" },
      }),
    );
  });
  return series;
}

declare("stacks", () => {
  const { first, operation, phase } = STATE;
  const sizes = [
    ...new Set(
      Object.values(first.operations[operation]?.sweeps ?? {}).flatMap((sweep) => Object.keys(sweep).map(Number)),
    ),
  ].sort((a, b) => a - b);
  if (!sizes.length) return `Sizes: ${first.name} has no set of ${operation} at three sizes or more.`;
  const series = lines((run) =>
    Object.entries(run.operations[operation]?.sweeps ?? {})
      .filter(([set]) => isChosen(set))
      .map(([set, sweep]) => [
        set,
        sizes.map((size) => {
          const row = rowAt(run, sweep[size], phase);
          return { value: row ? drawable(row.median / 1000) : null, row };
        }),
      ]),
  );
  return {
    title: heading(`${operation}, ${phase}, over the child's stack`),
    legend: legend(),
    series,
    tooltip: tooltip({
      formatter: ({ seriesName, data, marker }) =>
        `${marker} ${escaped(seriesName)}<br>${escaped(data.row.case)}<br>${timeText(data.row.median, first.clock)}${interval(data.row, "ci_low", "ci_high", first.clock)}`,
    }),
    xAxis: axis("the child's stack in bytes (mapped, not touched)", { type: "category", data: sizes.map(sizeText) }),
    yAxis: timeAxis(`median of ${phase} in ${unitOf(first.clock)}`, { nameGap: 48 }),
  };
});

declare("distributions", () => {
  const { first, operation, phase } = STATE;
  const kept = (run, set) => run.quantiles[run.operations[operation]?.sets[set]]?.[phase];
  const series = lines((run) =>
    chosenSets(run, operation)
      .filter((set) => kept(run, set))
      .map((set) => {
        const [count, ...values] = kept(run, set);
        return [
          set,
          values
            .map((value, index) => ({ value: [drawable(value / 1000), DATA.probabilities[index]], count, set }))
            .filter((one) => one.value[0] !== null),
        ];
      }),
  );
  if (!series.length) return `Distributions: ${first.name} keeps no samples of ${operation}, ${phase}.`;
  return {
    title: heading(`${operation}, ${phase}`),
    legend: legend(),
    series: series.map((one) => ({ ...one, showSymbol: true, symbolSize: 5 })),
    tooltip: tooltip({
      formatter: ({ seriesName, data, marker }) =>
        `${marker} ${escaped(seriesName)}: ${data.value[1]}% of ${data.count} samples took at most ${timeText(data.value[0] * 1000, first.clock)}`,
    }),
    xAxis: timeAxis(`${phase} in ${unitOf(first.clock)}`),
    yAxis: axis("% of samples", { type: "value", min: 0, max: 100 }),
    dataZoom: [{ type: "inside", xAxisIndex: 0, zoomOnMouseWheel: "ctrl" }],
  };
});

/** Set by set, the runs that have it. */
function setsOfRuns(has) {
  const sets = [...new Set(shownRuns().flatMap((run) => chosenSets(run, STATE.operation)))];
  return sets.flatMap((set) =>
    shownRuns()
      .filter((run) => has(run, set))
      .map((run) => [run, set]),
  );
}

const setNames = (pairs) => pairs.map(([run, set]) => (STATE.second ? `${labelOf(set)} · ${run.name}` : labelOf(set)));

/** A bar for each name, stacked of parts. */
function stacked(names, parts, name, unit, text, more = {}) {
  return {
    pixels: 120 + 30 * Math.max(names.length, 4),
    legend: legend(),
    tooltip: tooltip({
      trigger: "axis",
      axisPointer: { type: "shadow" },
      formatter: (items) =>
        [
          `<b>${escaped(items[0].axisValue)}</b>`,
          ...items
            .filter((item) => item.value)
            .map((item) => `${item.marker} ${escaped(item.seriesName)}: ${text(item.value)}`),
        ].join("<br>"),
    }),
    aria: { enabled: true, decal: { show: true } },
    xAxis: axis(`${name} in ${unit}`, { type: "value" }),
    yAxis: axis("", { type: "category", inverse: true, data: names, axisLabel: { color: css("--text"), interval: 0 } }),
    series: parts.map(([part, values], index) => ({
      name: part,
      type: "bar",
      stack: "all",
      barMaxWidth: 22,
      itemStyle: { color: /^(other|rest)/.test(part) ? "#BBBBBB" : SERIES[index % SERIES.length] },
      data: values,
    })),
    ...more,
  };
}

declare("phases", () => {
  const { operation, first } = STATE;
  const columns = setsOfRuns(
    (run, set) => setRow(run, operation, set, "total") ?? setRow(run, operation, set, "switch"),
  );
  const parts = first.operations[operation]?.segments ?? [];
  const of = (phase) => columns.map(([run, set]) => (setRow(run, operation, set, phase)?.median ?? 0) / 1000);
  const shown = parts.map((phase) => [phase, of(phase)]).filter(([, values]) => values.some(Boolean));
  if (!shown.length) return `Phases: ${first.name} has none of ${operation} that follow one another.`;
  const rest = of("total").map((total, index) =>
    Math.max(0, total - shown.reduce((sum, [, values]) => sum + values[index], 0)),
  );
  if (rest.some((value, index) => value > 0.02 * of("total")[index])) shown.push(["rest of total", rest]);
  return {
    title: heading(`${operation}: what total consists of`),
    ...stacked(setNames(columns), shown, "medians", unitOf(first.clock), (value) =>
      timeText(value * 1000, first.clock),
    ),
  };
});

declare("drain", () => {
  const { operation, first } = STATE;
  const columns = setsOfRuns((run, set) => setRow(run, operation, set, "drain"));
  if (!columns.length) return `drain: ${first.name} saw none of ${operation}.`;
  const values = columns.map(([run, set]) => setRow(run, operation, set, "drain").median / 1000);
  return {
    title: heading("drain: afterwards, by the kernel's workers"),
    ...stacked(setNames(columns), [["drain", values]], "amortised per namespace", unitOf(first.clock), (value) =>
      timeText(value * 1000, first.clock),
    ),
    legend: undefined,
  };
});

declare("kernels", () => {
  const { operation, phase, clock } = STATE;
  const parts = (kernel) =>
    kernel
      .split(/[.\-+]/)
      .slice(0, 3)
      .map(Number);
  const runs = DATA.runs
    .filter((run) => run.clock === clock)
    .sort((a, b) => {
      const [x, y] = [parts(a.kernel), parts(b.kernel)];
      return x[0] - y[0] || x[1] - y[1] || x[2] - y[2];
    });
  if (new Set(runs.map((run) => run.kernel)).size < 2)
    return "Kernels: the runs with this clock are of one kernel; more runs make lines.";
  const sets = [...new Set(runs.flatMap((run) => chosenSets(run, operation)))];
  const series = lines(
    () =>
      sets.map((set) => [
        set,
        runs.map((run) => {
          const row = setRow(run, operation, set, phase);
          const value = row && (set === "none" ? row.median : row.delta);
          return { value: value === undefined || value === null ? null : drawable(value / 1000), row, run, set };
        }),
      ]),
    [runs[0]],
  );
  return {
    title: heading(`${operation}, ${phase}: none's median, and what each kind adds, from kernel to kernel`),
    legend: legend(),
    series,
    tooltip: tooltip({
      formatter: ({ data, marker }) =>
        `${marker} <b>${labelOf(data.set)}</b><br>${escaped(data.run.identity)}<br>` +
        (data.set === "none"
          ? `${timeText(data.row.median, clock)}${interval(data.row, "ci_low", "ci_high", clock)}`
          : `adds ${timeText(data.row.delta, clock)}${interval(data.row, "delta_low", "delta_high", clock)}`),
    }),
    xAxis: axis("kernel", { type: "category", data: runs.map((run) => run.kernel) }),
    yAxis: timeAxis(`median, or delta, in ${unitOf(clock)}`, { nameGap: 48 }),
  };
});
