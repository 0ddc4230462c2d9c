// Shows what `/v1/overview` says, and nothing else: it changes nothing, and keeps the key only as long as its tab.

const every = 1000;
const kept = "bandpass-operator-key";
const part = (id) => document.getElementById(id);
let timer;

const time = (seconds) => seconds == null ? "–" : new Date(seconds * 1000).toISOString().slice(11, 19);

function cell(content, kind) {
  const cell = document.createElement("td");
  if (kind) cell.className = kind;
  cell.append(content);
  return cell;
}

function code(text) {
  const code = document.createElement("code");
  code.textContent = text;
  return code;
}

/** Replaces rows only if they changed, so that nobody who reads or selects is interrupted. */
function rows(id, list, cells, none) {
  const body = part(id);
  const state = JSON.stringify(list);
  if (body.dataset.state === state) return;
  body.dataset.state = state;
  body.replaceChildren(...list.map((item) => {
    const row = document.createElement("tr");
    row.append(...cells(item));
    return row;
  }));
  if (list.length === 0) {
    const row = document.createElement("tr");
    const only = cell(none);
    only.colSpan = 9;
    row.append(only);
    body.append(row);
  }
}

const colours = { allow: "good", deny: "bad", "step-up": "wait", refused: "bad" };

function show(now) {
  part("host").textContent = now.host;
  part("answers").replaceChildren(...[
    ["Allowed", now.allowed], ["Denied", now.denied], ["Stepped up", now.stepped_up], ["Refused", now.refused], ["Failed", now.failed],
  ].map(([name, count]) => {
    const group = document.createElement("div");
    const term = document.createElement("dt");
    const value = document.createElement("dd");
    term.textContent = name;
    value.textContent = count.toLocaleString("en");
    group.append(term, value);
    return group;
  }));
  rows("recent", now.recent, (one) => [
    cell(time(one.at)), cell(one.merchant), cell(one.decision, colours[one.decision]), cell(code(one.reason)), cell(code(one.id)),
  ], "None yet");
  rows("plugins", now.plugins, (one) => [
    cell(one.name),
    one.quarantined ? cell(`quarantined: ${one.quarantined.code}: ${one.quarantined.message}`, "bad wrap") : cell("in use", "good"),
    cell(one.version ?? "–"),
    cell(code(`${one.sha256.slice(0, 12)}…`)),
    cell(one.evaluations.toLocaleString("en"), "number"),
    cell(one.failures.toLocaleString("en"), one.failures ? "number bad" : "number"),
    cell(one.evaluations ? `${(one.mean_us / 1000).toFixed(2)} ms` : "–", "number"),
  ], "None is configured");
  rows("sources", now.sources, (one) => [
    cell(one.kind),
    cell(one.location, "wrap"),
    one.error ? cell(`${one.error.code}: ${one.error.message}`, "bad wrap") : cell(one.last_success == null ? "not yet" : "good", one.last_success == null ? "wait" : "good"),
    cell(time(one.last_success)),
    cell(time(one.fresh_until)),
    cell(time(one.next_attempt)),
  ], "Nothing is refreshed");
}

async function look() {
  const key = sessionStorage.getItem(kept);
  if (!key) return;
  const state = part("state");
  try {
    const answer = await fetch("/v1/overview", { headers: { authorization: `Bearer ${key}` } });
    if (answer.status === 401) return leave("This is not an operator's key.");
    if (!answer.ok) throw new Error(`the host answers ${answer.status}`);
    show(await answer.json());
    part("login").hidden = true;
    part("overview").hidden = false;
    if (state.className || state.textContent !== "Connected") {
      state.className = "";
      state.textContent = "Connected";
    }
  } catch (error) {
    state.className = "lost";
    state.textContent = `Connection lost: ${error.message}`;
  }
  timer = setTimeout(look, every);
}

function leave(why = "") {
  clearTimeout(timer);
  sessionStorage.removeItem(kept);
  part("overview").hidden = true;
  part("login").hidden = false;
  part("refusal").textContent = why;
  part("state").className = "";
  part("state").textContent = "Not connected";
  part("key").value = "";
  part("key").focus();
}

part("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(kept, part("key").value.trim());
  part("refusal").textContent = "";
  look();
});
part("leave").addEventListener("click", () => leave());
look();
