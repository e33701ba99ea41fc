"use strict";
// How costs grow with a parameter: a panel for each case, its figures and, dashed, the law that they follow.

/** Of the chosen operation and phase; where several parameters have levels, those of the first. */
function curvesOf(run) {
  const all = (run.curves ?? []).filter(
    (curve) => curve.operation === STATE.operation && curve.phase === STATE.phase && isChosen(curve.set),
  );
  return all.filter((curve) => curve.key === all[0].key);
}

/** Runs of other kernels that have the same cases, the first among them, from the oldest kernel to the newest. */
function withCurve(first, curve) {
  const others = byKernel().filter((run) => run !== first && run.kernel !== first.kernel && run.clock === first.clock);
  const has = (run) => curve.cases.some((name) => rowAt(run, name, curve.phase));
  const place = ({ kernel }) => DATA.kernels.indexOf(kernel);
  return [first, ...others.filter(has)].sort((a, b) => place(a) - place(b));
}

/** Its figures with their intervals. */
function figuresOf(run, curve, placeOf) {
  return curve.cases.flatMap((name, index) => {
    const row = rowAt(run, name, curve.phase);
    const said = `${escaped(run.name)}<br>${escaped(run.kernel)}<br>${escaped(name)}`;
    return row ? [pointOf(placeOf(index), row.median, row.ci_low, row.ci_high, said, run.clock)] : [];
  });
}

/** One kernel's figures with their law; or those of several kernels, of which the law would be of one alone. */
function curvePanel(run, curve, levels) {
  const placeOf = (index) => levels.indexOf(curve.levels[index]);
  const runs = withCurve(run, curve);
  const law = curve.law.map((value, index) => pointOf(placeOf(index), value, null, null, escaped(curve.said), run.clock));
  const looks = Object.values(MARKS);
  const lines = runs.map((one) => {
    const at = DATA.kernels.indexOf(one.kernel);
    const look = { colour: SERIES[at % SERIES.length], mark: looks[at % looks.length] };
    return { name: one.kernel, points: figuresOf(one, curve, placeOf), ...(runs.length > 1 ? { look } : {}) };
  });
  return {
    set: curve.set,
    head: [[labelOf(curve.set), ...curve.others].join(" "), runs.length > 1 ? `${runs.length} kernels` : curve.said],
    lines: runs.length > 1 ? lines : [...lines, { name: "law", points: law }],
  };
}

declare("growth", (width) => {
  const { operation, phase } = STATE;
  const first = holder((run) => curvesOf(run).length);
  const curves = curvesOf(first);
  if (!curves.length) return `Growth: ${first.name} has no case of ${operation}, ${phase}, at six levels of a parameter.`;
  const ordered = new Map(curves.flatMap(({ levels, texts }) => levels.map((level, index) => [level, texts[index]])));
  const levels = [...ordered.keys()].sort((a, b) => a - b);
  const panels = curves.map((curve) => curvePanel(first, curve, levels));
  const looked = panels.flatMap(({ lines }) => lines.filter(({ look }) => look).map(({ name }) => name));
  const kernels = DATA.kernels.filter((name) => looked.includes(name));
  return {
    ...smallMultiples(
      panels,
      levels.map((level) => ordered.get(level)),
      width,
      kernels,
    ),
    caption: `${namedFirst(first)}${operation}, ${phase}: the median in ${unitOf(first.clock)} over ${curves[0].key} (logarithmic), ${kernels.length ? "a line for each kernel" : "and dashed the law"}; each panel has its own scale, from zero`,
    said: panels.map(({ head }) => head.join(" ")).join(", "),
    note: kernels.length ? `The law of each kernel: nsbench curves RUN… (of ${first.name}: ${curves.map(({ said }) => said).join("; ")})` : "",
  };
});
