// Prints the figures of docs/benchmarks.md, section "In JavaScript". `cargo xtask bench` builds what it needs, and runs it.
import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { open, serve } from "../../../sdk/npm/conformance/browser.mjs";
import { version, withWorker } from "../../../sdk/npm/conformance/worker.mjs";
import { measure, start } from "./measure.mjs";

const BUILT = new URL("../../../target/dist/npm/", import.meta.url);
const STARTS = 9;
const options = { rounds: 5, milliseconds: 1_000 };
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
  return { start: await median(begin), rates: await measure(await import(new URL("node.js", BUILT)), vector, options) };
}

async function inChromium() {
  const script = fileURLToPath(new URL("measure.mjs", import.meta.url));
  const { outputFiles: [bundle] } = await build({ entryPoints: [script], bundle: true, format: "esm", write: false });
  const site = await serve((path) => (path === "/measure.js" ? bundle.contents : readFile(new URL(`.${path}`, BUILT))));
  const browser = await open();
  const inPage = async (work, given) => {
    const page = await browser.newPage();
    await page.goto(site.url);
    const found = await page.evaluate(work, given);
    await page.close();
    return found;
  };
  const begin = (vector) => import("/measure.js").then(({ start }) => start(() => import("/web.js"), vector));
  const rate = async ([vector, options]) => (await import("/measure.js")).measure(await import("/web.js"), vector, options);
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

if (process.argv[2] === "start") {
  process.stdout.write(String(await start(() => import(new URL("node.js", BUILT)), vector)));
} else {
  const [node, page, workerd] = [await inNode(), await inChromium(), await inWorkerd()];
  console.log(`| verifications a second, best of ${options.rounds} rounds | Node ${process.version} | Chromium |\n|---|---|---|`);
  for (const name of Object.keys(node.rates)) console.log(`| ${name} | ${node.rates[name].toFixed(0)} | ${page.rates[name].toFixed(0)} |`);
  console.log(`\n| start, median of ${STARTS} | |\n|---|---|`);
  console.log(`| Node ${process.version}, import to first verdict | ${node.start.toFixed(0)} ms |`);
  console.log(`| Chromium, import to first verdict | ${page.start.toFixed(0)} ms |`);
  console.log(`| workerd ${version}, process to first verdict | ${workerd.toFixed(0)} ms |`);
}
