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

/** Which run it is, where it is not the one that was chosen. */
const namedFirst = (run) => (run === STATE.first ? "" : `${run.name}: `);

/** A point of small multiples: its place, value and ends, in thousands, and what is said of it. */
function pointOf(place, value, low, high, named, clock) {
  const ends = low === null || low === undefined ? [] : [low / 1000, high / 1000];
  const range = ends.length ? ` (${timeText(low, clock)} … ${timeText(high, clock)})` : "";
  return { at: [place, value / 1000, ...ends], text: `${named}<br>${timeText(value, clock)}${range}` };
}

declare("stacks", (width) => {
  const { operation, phase } = STATE;
  const sweepsOf = (run) => Object.entries(run.operations[operation]?.sweeps ?? {}).filter(([set]) => isChosen(set));
  const first = holder((run) => sweepsOf(run).length);
  const runs = [first, STATE.second].filter(
    (run, index, all) => run && all.indexOf(run) === index && sweepsOf(run).length,
  );
  const sizes = [
    ...new Set(runs.flatMap((run) => sweepsOf(run).flatMap(([, sweep]) => Object.keys(sweep).map(Number)))),
  ];
  sizes.sort((a, b) => a - b);
  if (!sizes.length) return `Sizes: ${first.name} has no set of ${operation} at three sizes or more.`;
  const lineOf = (run, set) => ({
    name: run.name,
    points: sizes.flatMap((size, place) => {
      const row = rowAt(run, run.operations[operation]?.sweeps[set]?.[size], phase);
      return row
        ? [
            pointOf(
              place,
              row.median,
              row.ci_low,
              row.ci_high,
              `${escaped(run.name)}<br>${escaped(row.case)}`,
              run.clock,
            ),
          ]
        : [];
    }),
  });
  const panels = sweepsOf(first)
    .map(([set]) => ({ set, lines: runs.map((run) => lineOf(run, set)).filter(({ points }) => points.length) }))
    .filter(({ lines }) => lines.length)
    .map((panel) => ({ ...panel, head: [labelOf(panel.set), fromTo(panel.lines[0].points, first.clock)] }));
  if (!panels.length) return `Sizes: ${first.name} has none of ${operation}, phase ${phase}.`;
  return {
    ...smallMultiples(panels, sizes.map(sizeText), width),
    caption: `${namedFirst(first)}${operation}, ${phase}: the median in ${unitOf(first.clock)} over the child's stack in bytes (mapped, not touched); each panel has its own scale, from zero`,
    said: panels.map(({ head }) => head.join(" ")).join(", "),
  };
});

declare("distributions", () => {
  const { operation, phase } = STATE;
  const kept = (run, set) => run.quantiles[run.operations[operation]?.sets[set]]?.[phase];
  const keptSets = (run) => chosenSets(run, operation).filter((set) => kept(run, set));
  const first = holder((run) => keptSets(run).length);
  let dropped = 0;
  const series = lines(
    (run) =>
      keptSets(run).map((set) => {
        const [count, ...values] = kept(run, set);
        const points = values.map((value, index) => ({
          value: [drawable(value / 1000), DATA.probabilities[index]],
          count,
          set,
        }));
        dropped += points.filter((one) => one.value[0] === null).length;
        return [set, points.filter((one) => one.value[0] !== null)];
      }),
    [first, STATE.second].filter((run, index, all) => run && all.indexOf(run) === index),
  );
  if (!series.length) return `Distributions: ${first.name} keeps no samples of ${operation}, ${phase}.`;
  const middle = (set) => kept(first, set)[1 + DATA.probabilities.indexOf(50)];
  return {
    caption: `${namedFirst(first)}${operation}, ${phase}: share of samples`,
    said: `medians: ${keptSets(first)
      .map((set) => `${labelOf(set)} ${timeText(middle(set), first.clock)}`)
      .join(", ")}`,
    note: dropped ? `${dropped} points of 0 are not on the logarithmic scale.` : "",
    legend: legend(series.map(({ name }) => name)),
    series: series.map((one) => ({ ...one, showSymbol: true, symbolSize: 5 })),
    tooltip: tooltip({
      formatter: ({ seriesName, data, marker }) =>
        `${marker} ${escaped(seriesName)}: ${data.value[1]}% of ${data.count} samples took at most ${timeText(data.value[0] * 1000, first.clock)}`,
    }),
    xAxis: timeAxis(`${phase} in ${unitOf(first.clock)}`),
    yAxis: axis("", { type: "value", min: 0, max: 100, axisLabel: { color: css("--text"), formatter: "{value}%" } }),
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

/** A bar for each name, stacked of parts; `look` is that of a part and its place. */
function stacked(names, parts, { name, text, width, look = (_part, index) => lookAt(index) }) {
  const looks = parts.map(([part], index) =>
    /^(other|rest)/.test(part) ? { color: GREY, decal: { symbol: "none" } } : look(part, index),
  );
  const totals = names.map((_one, at) => parts.reduce((sum, [, values]) => sum + (values[at] ?? 0), 0));
  const labels = parts.map(([part]) => part);
  return {
    pixels: 70 + legendRoom(labels, width - TOOLS.width) + 28 * Math.max(names.length, 3),
    patterns: true,
    said: names.map((one, at) => `${one} ${text(totals[at])}`).join(", "),
    legend: legend(labels),
    tooltip: tooltip({
      trigger: "axis",
      axisPointer: { type: "shadow" },
      formatter: (items) =>
        [
          `<b>${escaped(items[0].axisValue)}</b>: ${text(totals[items[0].dataIndex])}`,
          ...items
            .filter((item) => item.value)
            .map((item) => `${item.marker} ${escaped(item.seriesName)}: ${text(item.value)}`),
        ].join("<br>"),
    }),
    xAxis: axis(name, { type: "value", splitNumber: 4 }),
    yAxis: nameAxis(names, width, { inverse: true }),
    series: parts.map(([part, values], index) => ({
      name: part,
      type: "bar",
      stack: "all",
      barMaxWidth: 22,
      itemStyle: looks[index],
      data: values,
    })),
  };
}

/** What stands below bars of times, which are in thousands. */
const timesOf = (what, clock, width) => ({
  name: `${what} in ${unitOf(clock)}`,
  text: (value) => timeText(value * 1000, clock),
  width,
});

declare("phases", (width) => {
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
    ...stacked(setNames(columns), shown, timesOf("medians", first.clock, width)),
    caption: `${operation}: what total consists of`,
  };
});

declare("drain", (width) => {
  const { operation, first } = STATE;
  const columns = setsOfRuns((run, set) => setRow(run, operation, set, "drain"));
  if (!columns.length) return `drain: ${first.name} saw none of ${operation}.`;
  const values = columns.map(([run, set]) => setRow(run, operation, set, "drain").median / 1000);
  return {
    ...stacked(setNames(columns), [["drain", values]], timesOf("amortised per namespace", first.clock, width)),
    caption: "drain: afterwards, by the kernel's workers",
    legend: undefined,
  };
});

declare("kernels", (width) => {
  const { operation, phase, clock } = STATE;
  const runs = byKernel();
  const kernels = [...new Set(runs.map((run) => run.kernel))];
  if (kernels.length < 2) return "Kernels: the runs with this clock are of one kernel; those of others make lines.";
  const figureOf = (set, row) =>
    set === "none"
      ? [row.median, ...ends(row.median, row.resolution, row.ci_low, row.ci_high)]
      : [row.delta, ...ends(row.delta, row.delta_resolution, row.delta_low, row.delta_high)];
  const ends = (value, resolution, low, high) =>
    resolution === null || resolution === undefined ? [low, high] : [value - resolution, value + resolution];
  const panels = [...new Set(runs.flatMap((run) => chosenSets(run, operation)))]
    .map((set) => {
      const points = runs.flatMap((run) => {
        const row = setRow(run, operation, set, phase);
        const [value, ...range] = row ? figureOf(set, row) : [null];
        return value === null || value === undefined
          ? []
          : [
              pointOf(
                kernels.indexOf(run.kernel),
                value,
                ...range,
                `<b>${labelOf(set)}</b><br>${escaped(run.identity)}`,
                clock,
              ),
            ];
      });
      return {
        set,
        lines: [{ name: labelOf(set), points }],
        head: [set === "none" ? `none: the whole ${phase}` : `${labelOf(set)}: adds`, fromTo(points, clock)],
      };
    })
    .filter(({ lines: [{ points }] }) => points.length > 1);
  if (!panels.length) return `Kernels: fewer than two have ${operation}, phase ${phase}.`;
  const names = kernelNames(kernels.map((kernel) => runs.find((run) => run.kernel === kernel)));
  return {
    ...smallMultiples(panels, names, width),
    caption: `${operation}, ${phase}, from kernel to kernel in ${unitOf(clock)}, and what it varies by; each panel has its own scale, from zero`,
    said: panels.map(({ head }) => head.join(" ")).join(", "),
  };
});
