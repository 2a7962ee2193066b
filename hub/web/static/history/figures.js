// What the hub noted of itself, made ready to be drawn: the link as stretches, hours as bars.

const GAP = 1.6;

const tone = (up) => (up ? "good" : "bad");

// Where steps are missing the hub was off.
export function silences(found) {
  const stepMs = found.step_s * 1000;
  return found.points.slice(1).flatMap((one, index) => {
    const before = found.points[index].at_ms;
    return one.at_ms - before > stepMs * GAP ? [{ from: before + stepMs, to: one.at_ms }] : [];
  });
}

function push(spans, from, to, state, place) {
  const last = spans.at(-1);
  if (to <= from) return;
  if (last && last.state === state && last.to === from && last.place === place) last.to = to;
  else spans.push({ from, to, state, tone: state === "off" ? "idle" : tone(state === "up"), place });
}

// The link from the first point to the end: [{from, to, state: "up"|"down"|"off", tone, place?}].
export function linkSpans(found) {
  const [first] = found.points;
  if (!first) return [];
  const changes = [...found.changes].sort((a, b) => a.at_ms - b.at_ms);
  const earlier = changes.filter((one) => one.at_ms <= first.at_ms).at(-1);
  const later = changes.filter((one) => one.at_ms > first.at_ms);
  let up = earlier ? earlier.up : later.length ? !later[0].up : first.up_share >= 0.5;
  let place = earlier?.place;
  const cuts = [
    ...later.map((one) => ({ at: one.at_ms, up: one.up, place: one.place })),
    ...silences(found).flatMap(({ from, to }) => [{ at: from, off: true }, { at: to, off: false }]),
  ].sort((a, b) => a.at - b.at);
  const spans = [];
  const named = () => (up ? "up" : place === "hub-off" ? "off" : "down");
  let off = false;
  let from = first.at_ms;
  for (const cut of [...cuts, { at: found.to_ms }]) {
    const now = off ? "off" : named();
    push(spans, from, cut.at, now, now === "down" ? place : undefined);
    from = cut.at;
    if (cut.off !== undefined) off = cut.off;
    if (cut.up !== undefined) ({ up, place } = cut);
  }
  return spans;
}

// How much of the time in which the hub ran the cloud was reached, 0..1.
export function reached(points) {
  return points.length ? points.reduce((sum, one) => sum + one.up_share, 0) / points.length : 0;
}

// The first instant something is known of, when that isn't the beginning.
export const knownSince = (found) => {
  const [first] = found.points;
  return first && first.at_ms - found.from_ms > found.step_s * 3000 ? first.at_ms : null;
};
