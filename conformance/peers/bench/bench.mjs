// Prints the figures of docs/benchmarks.md, section "In JavaScript": node bench.mjs, after `cargo xtask build`.
import { build } from "../../../sdk/npm/node_modules/esbuild/lib/main.js";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { measure, start } from "./measure.mjs";

const BUILT = new URL("../../../target/dist/npm/", import.meta.url);
const STARTS = 9;
const options = { rounds: 5, milliseconds: 1_000 };
const { vectors } = JSON.parse(await readFile(new URL("../../vectors/accept.json", import.meta.url)));
const vector = vectors.find(({ name }) => name === "accept/another-type");
const median = (times) => times.toSorted((one, other) => one - other)[times.length >> 1];

async function inNode() {
  if (process.argv[2] === "start") {
    process.stdout.write(String(await start(() => import(new URL("node.js", BUILT)), vector)));
    return undefined;
  }
  const starts = [];
  for (let number = 0; number < STARTS; number += 1) {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "start"], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    await once(child, "close");
    starts.push(Number(text));
  }
  return { rates: await measure(await import(new URL("node.js", BUILT)), vector, options), start: median(starts) };
}

async function inChromium() {
  const bundled = await build({ entryPoints: [fileURLToPath(new URL("measure.mjs", import.meta.url))], bundle: true, format: "esm", write: false });
  const kinds = { ".js": "text/javascript", ".wasm": "application/wasm" };
  const server = createServer(async (request, response) => {
    if (request.url === "/") return response.setHeader("content-type", "text/html").end("<!doctype html><title>Bench</title>");
    try {
      const content = request.url === "/measure.js" ? bundled.outputFiles[0].contents : await readFile(new URL(`.${request.url}`, BUILT));
      response.setHeader("content-type", kinds[extname(request.url)] ?? "text/plain").end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const profile = await mkdtemp(join(tmpdir(), "bandpass-chromium-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  try {
    const starts = [];
    let page;
    for (let number = 0; number < STARTS; number += 1) {
      await page?.close();
      page = await browser.newPage();
      // WebCrypto is for secure contexts.
      await page.goto(`http://localhost:${server.address().port}/`);
      starts.push(await page.evaluate(async (vector) => {
        const { start } = await import("/measure.js");
        return start(() => import("/web.js"), vector);
      }, vector));
    }
    const rates = await page.evaluate(async ([vector, options]) => {
      const { measure } = await import("/measure.js");
      return measure(await import("/web.js"), vector, options);
    }, [vector, options]);
    return { rates, start: median(starts) };
  } finally {
    await browser.close();
    server.close();
    await rm(profile, { recursive: true, force: true });
  }
}

const node = await inNode();
if (node) {
  const page = await inChromium();
  console.log(`| verifications a second, best of ${options.rounds} rounds | Node ${process.version} | Chromium |\n|---|---|---|`);
  for (const name of Object.keys(node.rates)) console.log(`| ${name} | ${node.rates[name].toFixed(0)} | ${page.rates[name].toFixed(0)} |`);
  console.log(`| import to first verdict, median of ${STARTS} | ${node.start.toFixed(0)} ms | ${page.start.toFixed(0)} ms |`);
}
