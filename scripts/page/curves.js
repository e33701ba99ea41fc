"use strict";
// How costs grow with a parameter: a panel for each case, its figures and, dashed, the law that they follow.

/** Of the chosen operation and phase; where several parameters have levels, those of the first. */
function curvesOf(run) {
  const all = (run.curves ?? []).filter(
    (curve) => curve.operation === STATE.operation && curve.phase === STATE.phase && isChosen(curve.set),
  );
  return all.filter((curve) => curve.key === all[0].key);
}

function curvePanel(run, curve, levels) {
  const placeOf = (index) => levels.indexOf(curve.levels[index]);
  const figures = curve.cases.flatMap((name, index) => {
    const row = rowAt(run, name, curve.phase);
    const said = `${escaped(run.name)}<br>${escaped(name)}`;
    return row ? [pointOf(placeOf(index), row.median, row.ci_low, row.ci_high, said, run.clock)] : [];
  });
  const law = curve.law.map((value, index) => pointOf(placeOf(index), value, null, null, escaped(curve.said), run.clock));
  return {
    set: curve.set,
    head: [[labelOf(curve.set), ...curve.others].join(" "), curve.said],
    lines: [
      { name: run.name, points: figures },
      { name: "law", points: law },
    ],
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
  return {
    ...smallMultiples(
      panels,
      levels.map((level) => ordered.get(level)),
      width,
    ),
    caption: `${namedFirst(first)}${operation}, ${phase}: the median in ${unitOf(first.clock)} over ${curves[0].key} (logarithmic), and dashed the law; each panel has its own scale, from zero`,
    said: panels.map(({ head }) => head.join(" ")).join(", "),
  };
});
