/**
 * The demo's page: gets everything once (`view`), then what is new (`tick`), and draws it. No library. Numbers come
 * ready from the server; nothing is computed here but shares of a width.
 */
const FLEETS = ["random", "warmpath"];
const NAMES = { random: "random", warmpath: "warmpath" };
const DECISIONS_SHOWN = 8;
const LINE_HEIGHT = 270;

let view = emptyView();

function emptyView() {
  return {
    phase: "starting",
    points: [],
    decisions: { random: [], warmpath: [] },
    lastSequence: { random: -1, warmpath: -1 },
  };
}

const parts = Object.fromEntries(
  FLEETS.map((fleet) => [fleet, (part) => document.querySelector(`[data-fleet="${fleet}"] [data-part="${part}"]`)]),
);
const percent = (share) => `${(share * 100).toFixed(1)} %`;
const ms = (value) => (value >= 9999.5 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(value < 10 ? 1 : 0)} ms`);

/** Makes an element: attributes by name, `text`, and children. */
function make(tag, attributes = {}, children = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name === "share") element.style.setProperty("--share", value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
function makeSvg(tag, attributes = {}, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
const setText = (element, text) => {
  if (element && element.textContent !== text) element.textContent = text;
};

function listen() {
  const source = new EventSource("/events");
  source.addEventListener("view", (message) => {
    const data = JSON.parse(message.data);
    view = emptyView();
    for (const fleet of FLEETS) parts[fleet]("decisions").replaceChildren();
    take(data);
  });
  source.addEventListener("tick", (message) => take(JSON.parse(message.data)));
  source.onerror = () => {
    if (view.phase !== "ended") setText(document.getElementById("status"), "The demo does not answer. Trying again…");
  };
}

function take(data) {
  const last = view.points.at(-1)?.atSeconds ?? -1;
  view.points.push(...data.points.filter((point) => point.atSeconds > last));
  const { setup, phase, elapsedSeconds, fleets, result } = data;
  Object.assign(view, { setup, phase, elapsedSeconds, fleets, result });
  for (const decision of data.decisions) takeDecision(decision);
  draw();
}

function takeDecision(decision) {
  const { fleet, sequence } = decision;
  if (sequence <= view.lastSequence[fleet]) return;
  view.lastSequence[fleet] = sequence;
  const list = parts[fleet]("decisions");
  list.prepend(drawDecision(decision));
  while (list.children.length > DECISIONS_SHOWN) list.lastChild.remove();
}

function draw() {
  if (view.setup) drawSetup();
  for (const fleet of FLEETS) drawSide(fleet, view.fleets[fleet]);
  drawLine();
  drawTtft();
  drawStatus();
}

function drawSetup() {
  const { setup } = view;
  const badgeList = document.getElementById("badges");
  if (badgeList.children.length > 0) return;
  const speed = setup.timeScale === 0 ? "at once" : `${(1 / setup.timeScale).toFixed(1)} times as fast`;
  const badges = [
    ["Model", `${setup.model} on ${setup.gpu}, simulated`],
    ["Fleets", `2 × ${setup.podsPerFleet} pods`],
    ["Load", `${setup.conversations} conversations × ${setup.turns} turns, ${setup.workers} workers`],
    ["Through", setup.via === "envoy" ? "Envoy, ext_proc" : "built-in gateway"],
    ["Clock", setup.timeScale === 0 ? "at once" : `${(1 / setup.timeScale).toFixed(1)}×`],
    ["Seed", setup.seed],
  ];
  badgeList.replaceChildren(...badges.map(([name, value]) => make("li", {}, [`${name} `, make("b", { text: value })])));
  const scraped = (setup.refreshMetricsIntervalMs / setup.timeScale).toFixed(0);
  const notes = [
    [
      "Simulated engines.",
      `Pods are real HTTP servers over a model of vLLM's scheduler and KV cache; step times are derived for ${setup.model} on ${setup.gpu}, not measured on a GPU. No figure here is a promise for your hardware.`,
    ],
    [
      "Two clocks.",
      `The engines' clock runs ${speed} as real time (time scale ${setup.timeScale}). TTFT is in the engines' time: from the moment when the engine has the request to its first token. Proxy + picker is real time, not scaled: what a request and its first token spent between client and pod. A client of real pods would see about the sum of both, plus the pod's own HTTP server and tokeniser.`,
    ],
    [
      "Stale signals.",
      `The pickers read the pods' metrics every ${setup.refreshMetricsIntervalMs} ms of real time: ${scraped} ms of the engines' time. At real speed the queue figures would be fresher.`,
    ],
    [
      "The same for both.",
      `Same seed (${setup.seed}), prompts, answers, think times and pods, with the KV capacity of the preset. Pods tokenise by a rule of their own at another ratio than the picker's estimate. Both fleets share this machine's CPU.`,
    ],
    [
      "One workload.",
      "Long documents asked about again and again are where prefix-aware routing shines. Short prompts without common beginnings gain nothing.",
    ],
  ];
  document
    .getElementById("notes")
    .replaceChildren(...notes.map(([head, text]) => make("li", {}, [make("b", { text: head }), ` ${text}`])));
}

function drawSide(fleet, side) {
  const part = parts[fleet];
  const total = view.setup?.requests ?? 0;
  const bar = part("progress");
  bar.max = total || 1;
  bar.value = side.done;
  setText(part("count"), `${side.done} of ${total} requests${side.failed ? `, ${side.failed} failed` : ""}`);
  const seen = side.done > 0;
  setText(part("hit-rate"), seen ? percent(side.hitRate) : "–");
  for (const name of ["p50", "p95", "p99"]) setText(part(name), seen ? ms(side.ttftMs[name]) : "–");
  setText(part("picker"), seen ? `+${ms(side.pickerMs.p50)} real` : "–");
  drawPods(fleet, side.pods);
}

function drawPods(fleet, pods) {
  const box = parts[fleet]("pods");
  if (box.children.length !== pods.length) box.replaceChildren(...pods.map(makePod));
  for (const [i, pod] of pods.entries()) {
    const rate = pod.queriesTokens === 0 ? 0 : pod.hitsTokens / pod.queriesTokens;
    const row = box.children[i];
    const bar = row.querySelector(".bar");
    bar.style.setProperty("--share", rate);
    setText(row.querySelector(".name"), pod.pod);
    setText(row.querySelector(".rate"), percent(rate));
    setText(row.querySelector(".dots"), "●".repeat(Math.min(pod.running, 8)) + "○".repeat(Math.min(pod.waiting, 8)));
    setText(row.querySelector(".queue-text"), `${pod.running} running, ${pod.waiting} waiting`);
    setText(row.querySelector(".kv-text"), `${pod.requests} served, KV ${(pod.kvUsage * 100).toFixed(0)} %`);
  }
}

const makePod = () =>
  make("div", { class: "pod" }, [
    make("span", { class: "name" }),
    make("span", { class: "track", "aria-hidden": "true" }, [make("span", { class: "bar", share: 0 })]),
    make("span", { class: "rate" }),
    make("span", { class: "queue" }, [
      make("span", { class: "dots", "aria-hidden": "true" }),
      " ",
      make("span", { class: "queue-text" }),
      make("br"),
      " ",
      make("span", { class: "kv-text" }),
    ]),
  ]);

const podOf = (endpoint) => endpoint.slice(endpoint.lastIndexOf("/") + 1);
const SCORER_CLASSES = [
  ["prefix", "prefix"],
  ["queue", "queue-score"],
  ["kv", "kv"],
];
const scorerClass = (name) => SCORER_CLASSES.find(([word]) => name.includes(word))?.[1] ?? "other";

function drawDecision(decision) {
  const { scorers, candidates, picked, requestId, inputTokens, refusal } = decision;
  drawLegend(decision);
  const winner = picked.length > 0 ? podOf(picked[0]) : undefined;
  const turn = /^c(\d+)-t(\d+)$/.exec(requestId);
  const what = turn ? `conversation ${Number(turn[1]) + 1}, turn ${turn[2]}` : requestId;
  const tokens = inputTokens >= 0 ? ` ~${(inputTokens / 1000).toFixed(1)}k tokens` : "";
  const most = scorers.reduce((sum, { weight }) => sum + weight, 0) || 1;
  return make("li", { class: view.phase === "running" ? "new" : "" }, [
    make("span", { class: "what" }, [
      make("b", { text: winner ? `→ ${winner}` : `refused: ${refusal}` }),
      tokens,
      make("br"),
      ` ${what}`,
    ]),
    make(
      "span",
      { class: "candidates" },
      [...candidates]
        .sort((a, b) => a.endpoint.localeCompare(b.endpoint))
        .map((candidate) => {
          const pod = podOf(candidate.endpoint);
          const won = pod === winner;
          const words = candidate.scores.map(
            (score, i) => `${scorers[i].name} ${score.toFixed(2)} × ${scorers[i].weight}`,
          );
          return make(
            "span",
            { class: `candidate${won ? " won" : ""}`, title: words.join("\n") || "drawn at random" },
            [
              make("span", { class: "score" }, [
                make("span", { text: `${pod}${won ? " ★" : ""}` }),
                make("span", { text: scorers.length > 0 ? candidate.total.toFixed(2) : "" }),
              ]),
              make(
                "span",
                { class: "stack", "aria-hidden": "true" },
                candidate.scores.map((score, i) =>
                  make("i", { class: scorerClass(scorers[i].name), share: (score * scorers[i].weight) / most }),
                ),
              ),
            ],
          );
        }),
    ),
  ]);
}

function drawLegend({ fleet, scorers }) {
  const legend = parts[fleet]("legend");
  if (!legend || legend.children.length > 0 || scorers.length === 0) return;
  legend.replaceChildren(
    "Each pod's weighted score; the highest wins.",
    ...scorers.map(({ name, weight }) =>
      make("span", { class: "scorer" }, [
        make("i", { class: `swatch ${scorerClass(name)}`, "aria-hidden": "true" }),
        `${name} × ${weight}`,
      ]),
    ),
  );
}

function drawLine() {
  const box = document.getElementById("line");
  // As wide as its card, so that letters keep their size.
  const width = Math.max(280, box.clientWidth);
  const left = 46;
  const right = width - 122;
  const top = 8;
  const bottom = LINE_HEIGHT - 26;
  const scale = view.setup?.timeScale || 1;
  const lastSeconds = Math.max(1, (view.points.at(-1)?.atSeconds ?? 0) / scale);
  const x = (seconds) => left + ((right - left) * seconds) / lastSeconds;
  const y = (share) => bottom - (bottom - top) * share;
  const words = FLEETS.map((fleet) => `${NAMES[fleet]} ${percent(view.fleets[fleet].hitRate)}`).join(", ");
  const svg = makeSvg("svg", {
    viewBox: `0 0 ${width} ${LINE_HEIGHT}`,
    role: "img",
    "aria-label": `Hit rate over time: now ${words}`,
  });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(makeSvg("line", { class: "grid", x1: left, x2: right, y1: y(share), y2: y(share) }));
    svg.append(makeSvg("text", { x: left - 8, y: y(share) + 4, "text-anchor": "end" }, `${share * 100} %`));
  }
  for (const seconds of ticks(lastSeconds, (right - left) / 70)) {
    svg.append(makeSvg("text", { x: x(seconds), y: LINE_HEIGHT - 6, "text-anchor": "middle" }, `${seconds} s`));
  }
  const ends = [];
  for (const fleet of FLEETS) {
    const points = view.points.map(
      ({ atSeconds, hitRates }) => `${x(atSeconds / scale).toFixed(1)},${y(hitRates[fleet]).toFixed(1)}`,
    );
    if (points.length > 1) svg.append(makeSvg("path", { class: `path ${fleet}`, d: `M${points.join("L")}` }));
    const share = view.points.at(-1)?.hitRates[fleet];
    if (share !== undefined)
      ends.push({ fleet, text: `${NAMES[fleet]} ${(share * 100).toFixed(0)} %`, at: y(share) + 4 });
  }
  // Labels at the lines' ends, kept apart.
  ends.sort((a, b) => a.at - b.at);
  if (ends.length === 2 && ends[1].at - ends[0].at < 15) ends[1].at = ends[0].at + 15;
  for (const { fleet, text, at } of ends) svg.append(makeSvg("text", { class: fleet, x: right + 8, y: at }, text));
  box.replaceChildren(svg);
}

/** Round numbers up to the last, not more than there is room for. */
function ticks(last, most) {
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((each) => last / each <= most) ?? 1200;
  return Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => i * step);
}

function drawTtft() {
  const most = Math.max(1, ...FLEETS.map((fleet) => view.fleets[fleet].ttftMs.p99));
  const table = make("table", { class: "bars" });
  table.append(make("caption", { class: "hint", hidden: "", text: "Time to first token by percentile" }));
  for (const name of ["p50", "p95", "p99"]) {
    const body = make("tbody");
    for (const fleet of FLEETS) {
      const value = view.fleets[fleet].ttftMs[name];
      body.append(
        make("tr", { "data-fleet": fleet }, [
          ...(fleet === "random" ? [make("th", { rowspan: 2, scope: "rowgroup", text: name })] : []),
          make("td", { class: "who", text: NAMES[fleet] }),
          make("td", {}, [make("span", { class: "bar", "aria-hidden": "true", share: value / most })]),
          make("td", { class: "ms", text: view.fleets[fleet].done > 0 ? ms(value) : "–" }),
        ]),
      );
    }
    table.append(body);
  }
  document.getElementById("ttft").replaceChildren(table);
}

function drawStatus() {
  const status = document.getElementById("status");
  const { phase, fleets, setup, result } = view;
  if (phase === "starting") return setText(status, "Starting the pods…");
  if (phase === "running") {
    // In steps of a quarter, so that a screen reader is not told every request.
    const share = (fleets.random.done + fleets.warmpath.done) / (2 * setup?.requests || 1);
    return setText(status, `Running${share >= 0.25 ? `: ${Math.floor(share * 4) * 25} % done` : ""}…`);
  }
  const times = result.random.ttftMs.p95 / result.warmpath.ttftMs.p95;
  const points = (result.warmpath.hitRate - result.random.hitRate) * 100;
  setText(
    status,
    `Done in ${result.wallSeconds.toFixed(0)} s. warmpath's hit rate is ${Math.abs(points).toFixed(1)} points ${points >= 0 ? "higher" : "lower"}, its TTFT p95 ${times >= 1 ? `${times.toFixed(1)} times lower` : `${(1 / times).toFixed(1)} times higher`}.`,
  );
}

const THEMES = [
  ["system", "◐", "as the system"],
  ["light", "☀", "light"],
  ["dark", "☾", "dark"],
];
function setUpTheme() {
  const button = document.getElementById("theme");
  const apply = (name) => {
    const [, sign, words] = THEMES.find(([known]) => known === name) ?? THEMES[0];
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = sign;
    button.setAttribute("aria-label", `Colours: ${words}. Change`);
  };
  let current = localStorage.getItem("theme") ?? "system";
  apply(current);
  button.addEventListener("click", () => {
    current = THEMES[(THEMES.findIndex(([name]) => name === current) + 1) % THEMES.length][0];
    localStorage.setItem("theme", current);
    apply(current);
  });
}

setUpTheme();
addEventListener("resize", () => view.fleets && drawLine());
listen();
