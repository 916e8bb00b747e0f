"use strict";
// Asks for the results of one experiment every few seconds and shows them; all text is set as text, never as markup.
const EVERY = 5000;
const COLOURS = ["#1f5fbf", "#b3561e", "#23834b", "#7a3fb0"];
const of = (id) => document.getElementById(id);
let token = sessionStorage.getItem("token") || "";
let plot = null; // the chart, and what it is of: as long as that stays, new looks are put into it
let drawn = "";
let latest = 0; // an answer that comes after that of a later look is not shown

async function ask(path) {
  const answer = await fetch("/admin/v1" + path, { headers: { authorization: "Bearer " + token }, cache: "no-store" });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error.message), { status: answer.status });
  return body;
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text ?? "-";
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function fill(table, head, rows) {
  const line = (cells, kind) => {
    const row = document.createElement("tr");
    row.append(...cells.map((cell) => element(kind, cell)));
    return row;
  };
  table.replaceChildren(line(head, "th"), ...rows.map((row) => line(row, "td")));
}

const signed = (x, digits) => (x >= 0 ? "+" : "") + x.toFixed(digits);
const figure = (x, share) => (x == null ? null : share ? signed(100 * x, 2) + " points" : signed(x, 4));
const interval = (one, share) => one.lower == null ? null : figure(one.lower, share) + " to " + figure(one.upper, share);
const isShare = (one) => [one.old, one.new].every((x) => x != null && Math.abs(x) <= 1);

function kpis(pair) {
  const arms = pair.new + " - " + pair.old;
  const kpi = (one, role) => {
    const verdict = one.significant == null ? one.verdict : one.significant ? "significant" : "not significant";
    return [one.kpi, role, arms, figure(one.effect, isShare(one)), interval(one, isShare(one)), one.test + (one.margin ? " " + one.margin : ""), verdict];
  };
  const rail = (one) => [one.kpi, "guardrail", arms, figure(one.worse, false), interval(one, false), one.limit, one.verdict];
  return [...(pair.primary ? [kpi(pair.primary, "primary")] : []), ...pair.secondary.map((one) => kpi(one, "secondary")), ...pair.guardrails.map(rail)];
}

// What the time before the first exposure took away of an effect's variance.
function adjusted(one) {
  const { covariate, units, variance_reduced: part } = one.adjusted;
  if (!units) return one.kpi + ": not adjusted: no unit has a " + covariate;
  return one.kpi + ": adjusted for " + covariate + " (variance " + (part >= 0 ? "reduced" : "raised") + " by " +
    (100 * Math.abs(part)).toFixed(0) + " %), which " + units + " of " + one.n + " units have";
}

function chart(found) {
  const arms = Object.keys(found.looks);
  const times = arms.length ? found.looks[arms[0]].map((look) => look.at) : [];
  const primary = found.comparisons.map((pair) => pair.primary).find((one) => one);
  const data = times.length && primary ? points(found, arms, times, primary) : null;
  of("chart").dataset.looks = times.length;
  of("chart").dataset.units = times.length ? found.looks[arms[0]].at(-1).units : 0;
  of("empty").hidden = data !== null;
  of("empty").textContent = primary ? "no unit yet, so there is nothing to draw" : "the file names no primary KPI, so there is nothing to draw";
  const wanted = data ? JSON.stringify([found.id, arms, primary.kpi, isShare(primary), of("chart").clientWidth]) : "";
  if (plot && wanted === drawn) return plot.setData(data);
  if (plot) plot.destroy();
  plot = data ? new uPlot(options(arms, primary), data, of("chart")) : null;
  drawn = wanted;
}

function points(found, arms, times, primary) {
  const scale = isShare(primary) ? 100 : 1;
  const margin = scale * primary.margin * (primary.test === "superiority" ? 1 : -1);
  const column = (arm, name) => found.looks[arm].map((look) => (look[name] == null ? null : scale * look[name]));
  return [times, times.map(() => margin), ...arms.flatMap((arm) => ["lower", "effect", "upper"].map((name) => column(arm, name)))];
}

function options(arms, primary) {
  const series = [{}, { label: primary.margin ? "margin" : "no effect", stroke: "#7a8699", dash: [6, 4], points: { show: false } }];
  const bands = [];
  arms.forEach((arm, n) => {
    const stroke = COLOURS[n % COLOURS.length];
    series.push({ label: arm + " lower", stroke, width: 0.5 }, { label: arm, stroke, width: 2 }, { label: arm + " upper", stroke, width: 0.5 });
    bands.push({ series: [series.length - 1, series.length - 3], fill: stroke + "22" });
  });
  const label = "effect on " + primary.kpi + (isShare(primary) ? ", points" : "");
  return { width: of("chart").clientWidth || 900, height: 320, series, bands, axes: [{}, { label }] };
}

const when = (seconds) => (seconds == null ? null : new Date(1000 * seconds).toISOString().slice(0, 16).replace("T", " "));

function counts(found) {
  const arms = Object.entries(found.arms).map(([arm, one]) =>
    arm + " " + one.units + (one.fell_back ? ", " + one.fell_back + " of them answered by another arm" : "") +
    Object.entries(one.notes || {}).map(([version, note]) => ", " + version + ": " + note).join("")).join("; ");
  const days = found.days == null ? "" : ", day " + found.days.toFixed(1) + " of " + found.max_days;
  const ratio = found.sample_ratio;
  return found.reached_units + " of " + found.planned_units + " planned units" + days + " (" + arms + "); shares " +
    (ratio.verdict === "fits" ? "as asked for" : "NOT as asked for") + ", p " + ratio.p_sequential.toPrecision(3);
}

// Shadow pairs: what both arms replied to the same prompts.
function pairs(one) {
  const head = "same prompts: on " + one.prompts + " prompts of " + one.users + " users both replied; the replies score differently on " +
    one.differing + ", " + one.new + " higher on " + one.better;
  if (one.verdict === "too few" || one.effect == null || one.lower == null) return head + ": too few to say anything before 20 differ";
  const said = head + ": the quality of " + one.new + " is " + signed(one.effect, 4) + " against that of " + one.old + ", between " +
    signed(one.lower, 4) + " and " + signed(one.upper, 4) + " (" + one.verdict + ")";
  return one.split == null ? said : said + "; a split test would need " + one.split.toFixed(1) + " times the prompts";
}

function evidence(found) {
  of("two-arms").hidden = !found.two_arms;
  of("two-arms").textContent = "units in two arms " + found.two_arms + ": each counts for its first, up to the change";
  of("paired").hidden = !found.paired.length;
  of("paired").replaceChildren(...found.paired.map((one) => element("li", pairs(one))));
  const rows = found.attribution.flatMap((one) => [
    ...Object.entries(one.shapley).map(([name, part]) => [one.kpi, name, figure(part.value, false), interval(part, false)]),
    [one.kpi, "change", figure(one.change.effect, false), one.why || interval(one.change, false)],
  ]);
  of("attribution").hidden = of("attribution-title").hidden = !rows.length;
  fill(of("attribution"), ["KPI", "switch", "contribution", "interval"], rows);
  const copied = found.copies.flatMap((one) => [
    ...Object.entries(one.shapley).map(([name, part]) => [one.metric, name, figure(part.value, false), interval(part, false)]),
    [one.metric, "change", figure(one.change.effect, false), one.why || interval(one.change, false)],
  ]);
  of("copies").hidden = of("copies-title").hidden = !copied.length;
  fill(of("copies"), ["metric", "switch", "contribution", "interval"], copied);
}

function phases(found) {
  const several = found.phases.length > 1;
  of("phases").hidden = of("phases-title").hidden = !several;
  if (!several) return;
  const arms = [...new Set(found.phases.flatMap((one) => Object.keys(one.shares)))];
  const cell = (one, arm) => (arm in one.shares ? one.shares[arm] + ": " + (one.units[arm] || 0) : null);
  fill(of("phases"), ["phase", "since (UTC)", ...arms], found.phases.map((one) => [one.number, when(one.since), ...arms.map((arm) => cell(one, arm))]));
}

function contributions(found) {
  const rows = found.contributions.flatMap((one) => {
    const share = isShare(one);
    const line = (part) => [one.kpi, one.arm, part.line, (100 * part.share).toFixed(1) + " %", figure(part.effect, share), figure(part.value, share), interval(part, share)];
    const rest = (name, value) => [one.kpi, one.arm, name, null, null, figure(value, share), null];
    return [...one.lines.map(line), rest("composition", one.composition), rest("sum", one.effect)];
  });
  of("contributions").hidden = of("contributions-title").hidden = !rows.length;
  fill(of("contributions"), ["KPI", "arm", "line", "share", "effect there", "contribution", "interval"], rows);
}

function show(found) {
  of("main").hidden = false;
  of("answer").textContent = found.decision + ": " + found.why;
  of("answer").dataset.decision = found.decision;
  of("ended").hidden = found.state === "active";
  fill(of("kpis"), ["KPI", "is", "arms", "effect", "interval", "limit", "verdict"], found.comparisons.flatMap(kpis));
  const adjustments = found.comparisons.flatMap((pair) => [pair.primary, ...pair.secondary]).filter((one) => one && one.adjusted);
  of("adjusted").hidden = !adjustments.length;
  of("adjusted").replaceChildren(...adjustments.map((one) => element("li", adjusted(one))));
  of("units").textContent = counts(found);
  of("outlook").replaceChildren(...found.outlook.map((line) => element("li", line)));
  evidence(found);
  phases(found);
  const rows = Object.entries(found.business).flatMap(([line, all]) => all.filter((one) => one.n).map((one) => {
    const share = one.kpi !== "session_turns";
    const missing = one.missing == null ? null : one.missing === 0 ? "narrow enough" : one.missing + " users an arm missing";
    return [line, one.kpi, one.arm, figure(one.effect, share), one.percent == null ? null : signed(one.percent, 1) + " %", interval(one, share), missing];
  }));
  of("business").hidden = of("business-title").hidden = !rows.length;
  fill(of("business"), ["line", "KPI", "arm", "effect", "per cent", "95 % interval", "width"], rows);
  contributions(found);
  chart(found);
}

function list(experiments, wanted) {
  const layers = [...new Set(experiments.map((one) => one.layer))];
  const link = (one) => element("a", one.id + (one.state === "active" ? "" : " (" + one.state + ")"),
    { href: "#" + encodeURIComponent(one.id), ...(one.id === wanted ? { "aria-current": "page" } : {}) });
  of("list").replaceChildren(...layers.map((layer) => {
    const row = element("p", "layer " + layer + ": ");
    row.append(...experiments.filter((one) => one.layer === layer).flatMap((one) => [link(one), " "]));
    return row;
  }));
}

async function look() {
  if (!token) return;
  const mine = ++latest;
  try {
    const { experiments } = await ask("/experiments");
    const wanted = decodeURIComponent(location.hash.slice(1)) || (experiments[0] || {}).id;
    const found = wanted ? await ask("/experiments/" + encodeURIComponent(wanted) + "/results").catch((error) => error) : null;
    if (mine !== latest) return;
    list(experiments, wanted);
    of("door").hidden = true;
    if (found instanceof Error) throw found;
    of("said").textContent = found ? "" : "no experiment was applied yet";
    if (found) show(found); else of("main").hidden = true;
  } catch (error) {
    if (mine !== latest) return;
    of("main").hidden = true; // what is shown is known now, or it is not shown
    of("said").textContent = error.status ? error.message : "the control plane does not answer; this page goes on asking";
    if (error.status === 401) { sessionStorage.removeItem("token"); token = ""; of("door").hidden = false; }
  }
}

of("door").addEventListener("submit", (event) => {
  event.preventDefault();
  token = of("token").value.trim();
  sessionStorage.setItem("token", token);
  look();
});
addEventListener("hashchange", look);

async function follow() {
  await look();
  setTimeout(follow, EVERY);
}
follow();
