// Prints the figures of docs/benchmarks.md, section "In JavaScript". `cargo xtask bench` builds what it needs, and runs it.
import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { open, serve } from "../../../sdk/npm/conformance/browser.mjs";
import { edge } from "../../../sdk/npm/conformance/edge.mjs";
import { version, withWorker } from "../../../sdk/npm/conformance/worker.mjs";
import { measure, start } from "./measure.mjs";

const BUILT = new URL("../../../target/dist/npm/", import.meta.url);
const GUEST = new URL("../../../target/peers/wasm32-unknown-unknown/guest/bandpass_bench_guest.wasm", import.meta.url);
const STARTS = 9;
const EDGE_ROUNDS = 5;
const options = { rounds: 100, milliseconds: 50 };
const { vectors } = JSON.parse(await readFile(new URL("../../vectors/accept.json", import.meta.url)));
const vector = vectors.find(({ name }) => name === "accept/another-type");

/** The middle of as many tries, one after the other. */
async function median(once) {
  const times = [];
  for (let number = 0; number < STARTS; number += 1) times.push(await once());
  return times.toSorted((one, other) => one - other)[STARTS >> 1];
}

async function inNode() {
  const self = fileURLToPath(import.meta.url);
  const begin = () => Number(execFileSync(process.execPath, [self, "start"], { encoding: "utf8" }));
  const guest = await WebAssembly.compile(await readFile(GUEST));
  return { start: await median(begin), rates: await measure(await import(new URL("node.js", BUILT)), guest, vector, options) };
}

async function inChromium() {
  const script = fileURLToPath(new URL("measure.mjs", import.meta.url));
  const { outputFiles: [bundle] } = await build({ entryPoints: [script], bundle: true, format: "esm", write: false });
  const site = await serve((path) => {
    if (path === "/measure.js") return bundle.contents;
    return readFile(path === "/guest.wasm" ? GUEST : new URL(`.${path}`, BUILT));
  });
  const browser = await open();
  const inPage = async (work, given) => {
    const page = await browser.newPage();
    await page.goto(site.url);
    const found = await page.evaluate(work, given);
    await page.close();
    return found;
  };
  const begin = (vector) => import("/measure.js").then(({ start }) => start(() => import("/web.js"), vector));
  const rate = async ([vector, options]) => {
    const guest = await WebAssembly.compileStreaming(fetch("/guest.wasm"));
    return (await import("/measure.js")).measure(await import("/web.js"), guest, vector, options);
  };
  try {
    return { start: await median(() => inPage(begin, vector)), rates: await inPage(rate, [vector, options]) };
  } finally {
    await browser.close();
    site.close();
  }
}

/** From the process's start, which has no clock of its own until a request comes. */
function inWorkerd() {
  const script = `
    import * as verifier from "./package/workerd.js";
    import { answer } from "./conformance/answer.mjs";
    export default { fetch: async (request) => Response.json(await answer(verifier, await request.json())) };
  `;
  return median(() => withWorker(script, async (url, begun) => {
    const response = await fetch(url, { method: "POST", body: JSON.stringify(vector) });
    if ((await response.json()).result !== "accepted") throw new Error("refused");
    return performance.now() - begun;
  }));
}

/** A composed policy: from the process's start to the first decision, then decisions one after the other in one request. */
async function atTheEdge() {
  const folder = await mkdtemp(join(tmpdir(), "bandpass-bench-"));
  const sizes = await edge(fileURLToPath(new URL("../plugins/retail-checkout.wasm", BUILT)), folder);
  const payment = vectors.find(({ name }) => name === "accept/payment");
  const asked = { ...payment, policy: "shop", settings: { currency: "CNY", passwordless_limit: "200.00" } };
  const script = `
    import { createPolicy } from "./policy/retail-checkout.js";
    import { given } from "./conformance/answer.mjs";
    let policy;
    export default { async fetch(request) {
      const { vector, times } = await request.json();
      const { options, token, expected: { query, require, ...expected } } = given(vector);
      if (!policy) {
        policy = createPolicy({ trust: options.trust, settings: vector.settings });
        for (const list of options.statusLists) policy.updateStatus(list, options.now);
      }
      let last;
      for (let number = 0; number < times; number += 1) last = policy.decide(token, { ...expected, merchant: "m" });
      return Response.json(last);
    } };
  `;
  const decide = async (url, times) => {
    const response = await fetch(url, { method: "POST", body: JSON.stringify({ vector: asked, times }) });
    if ((await response.json()).decision !== "allow") throw new Error("not allowed");
  };
  const work = (most) => (url, begun) => decide(url, 1).then(async () => {
    const first = performance.now();
    if (most > 1) await decide(url, most);
    return [first - begun, (performance.now() - first) / most];
  });
  try {
    const inWorker = (times) => withWorker(script, work(times), { policy: folder });
    const begin = await median(async () => (await inWorker(1))[0]);
    const rounds = [];
    for (let round = 0; round < EDGE_ROUNDS; round += 1) rounds.push((await inWorker(500))[1]);
    return { begin, each: Math.min(...rounds), sizes };
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (process.argv[2] === "start") {
  process.stdout.write(String(await start(() => import(new URL("node.js", BUILT)), vector)));
} else {
  const [node, page, workerd, composed] = [await inNode(), await inChromium(), await inWorkerd(), await atTheEdge()];
  console.log(`| verifications a second, best of ${options.rounds} rounds | Node ${process.version} | Chromium |\n|---|---|---|`);
  for (const name of Object.keys(node.rates)) console.log(`| ${name} | ${node.rates[name].toFixed(0)} | ${page.rates[name].toFixed(0)} |`);
  console.log(`\n| start, median of ${STARTS} | |\n|---|---|`);
  console.log(`| Node ${process.version}, import to first verdict | ${node.start.toFixed(0)} ms |`);
  console.log(`| Chromium, import to first verdict | ${page.start.toFixed(0)} ms |`);
  console.log(`| workerd ${version}, process to first verdict | ${workerd.toFixed(0)} ms |`);
  console.log(`| workerd ${version}, process to a composed policy's first decision | ${composed.begin.toFixed(0)} ms |`);
  console.log(`\nA decision of the composed policy in workerd, best of ${EDGE_ROUNDS} rounds: ${composed.each.toFixed(2)} ms. ${composed.sizes.replace(/.*\//, "").trim()}`);
}
