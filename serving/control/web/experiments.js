"use strict";
// Asks for the results of one experiment every few seconds and shows them; all text is set as text, never as markup.
const EVERY = 5000;
const COLOURS = ["#1f5fbf", "#b3561e", "#23834b", "#7a3fb0"];
const of = (id) => document.getElementById(id);
let token = sessionStorage.getItem("token") || "";
let plot = null;

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

function chart(found) {
  const arms = Object.keys(found.looks);
  const times = arms.length ? found.looks[arms[0]].map((look) => look.at) : [];
  const primary = found.comparisons.map((pair) => pair.primary).find((one) => one);
  of("chart").dataset.looks = times.length;
  of("chart").dataset.units = arms.length && times.length ? found.looks[arms[0]].at(-1).units : 0;
  if (plot) plot.destroy();
  plot = null;
  if (!times.length || !primary) return;
  const scale = isShare(primary) ? 100 : 1;
  const column = (arm, name) => found.looks[arm].map((look) => (look[name] == null ? null : scale * look[name]));
  const margin = primary.margin ? times.map(() => scale * primary.margin * (primary.test === "superiority" ? 1 : -1)) : times.map(() => 0);
  const data = [times, margin];
  const series = [{}, { label: primary.margin ? "margin" : "no effect", stroke: "#7a8699", dash: [6, 4], points: { show: false } }];
  const bands = [];
  arms.forEach((arm, n) => {
    const stroke = COLOURS[n % COLOURS.length];
    data.push(column(arm, "lower"), column(arm, "effect"), column(arm, "upper"));
    series.push({ label: arm + " lower", stroke, width: 0.5 }, { label: arm, stroke, width: 2 }, { label: arm + " upper", stroke, width: 0.5 });
    bands.push({ series: [series.length - 1, series.length - 3], fill: stroke + "22" });
  });
  const label = "effect on " + primary.kpi + (scale > 1 ? ", points" : "");
  const options = { width: of("chart").clientWidth || 900, height: 320, series, bands, axes: [{}, { label }] };
  plot = new uPlot(options, data, of("chart"));
}

function show(found) {
  of("main").hidden = false;
  of("answer").textContent = found.decision + ": " + found.why;
  of("answer").dataset.decision = found.decision;
  fill(of("kpis"), ["KPI", "is", "arms", "effect", "interval", "limit", "verdict"], found.comparisons.flatMap(kpis));
  const arms = Object.entries(found.arms).map(([arm, one]) => arm + " " + one.units).join(", ");
  const ratio = found.sample_ratio;
  of("units").textContent = found.reached_units + " of " + found.planned_units + " planned units (" + arms + "); shares " +
    (ratio.verdict === "fits" ? "as asked for" : "NOT as asked for") + ", p " + ratio.p_sequential.toPrecision(3);
  of("outlook").replaceChildren(...found.outlook.map((line) => element("li", line)));
  const rows = Object.entries(found.business).flatMap(([line, all]) => all.filter((one) => one.n).map((one) => {
    const share = one.kpi !== "session_turns";
    const missing = one.missing == null ? null : one.missing === 0 ? "narrow enough" : one.missing + " users an arm missing";
    return [line, one.kpi, one.arm, figure(one.effect, share), one.percent == null ? null : signed(one.percent, 1) + " %", interval(one, share), missing];
  }));
  fill(of("business"), ["line", "KPI", "arm", "effect", "per cent", "95 % interval", "width"], rows);
  chart(found);
}

async function look() {
  if (!token) return;
  try {
    const { experiments } = await ask("/experiments");
    const wanted = decodeURIComponent(location.hash.slice(1)) || (experiments[0] || {}).id;
    of("list").replaceChildren(...experiments.map((one) =>
      element("a", one.id + (one.state === "active" ? "" : " (" + one.state + ")"),
        { href: "#" + encodeURIComponent(one.id), ...(one.id === wanted ? { "aria-current": "page" } : {}) })));
    of("door").hidden = true;
    if (!wanted) { of("said").textContent = "no experiment was applied yet"; return; }
    show(await ask("/experiments/" + encodeURIComponent(wanted) + "/results"));
    of("said").textContent = "";
  } catch (error) {
    of("said").textContent = error.message;
    if (error.status === 401) { sessionStorage.removeItem("token"); token = ""; of("door").hidden = false; }
    if (error.status === 503) of("main").hidden = true;
  }
}

of("door").addEventListener("submit", (event) => {
  event.preventDefault();
  token = of("token").value.trim();
  sessionStorage.setItem("token", token);
  look();
});
addEventListener("hashchange", look);
look();
setInterval(look, EVERY);
