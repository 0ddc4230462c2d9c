// The vectors in workerd: node workerd.mjs ENTRY. Modules are static there, and nothing compiles while a request is served.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import workerd from "workerd";
import { print, vectors } from "./lines.mjs";

const entry = process.argv[2];
const built = fileURLToPath(new URL("../../../target/dist/npm/", import.meta.url));
const worker = `
import * as verifier from "./package/${entry}";
import { answers } from "./conformance/answer.mjs";
export default {
  async fetch(request) {
    return Response.json(await answers(verifier, await request.json()));
  },
};
`;

const folder = await mkdtemp(join(tmpdir(), "bandpass-workerd-"));

/** A module of a worker: every file is named, for there is no file system. */
const module = (name, kind, path) => `(name = "${name}", ${kind} = embed "${relative(folder, path)}")`;

try {
  await writeFile(join(folder, "worker.js"), worker);
  const modules = [
    module("worker.js", "esModule", join(folder, "worker.js")),
    module("conformance/answer.mjs", "esModule", fileURLToPath(new URL("answer.mjs", import.meta.url))),
  ];
  for (const file of await readdir(built, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    const name = `package/${relative(built, path)}`;
    if (name.endsWith(".js")) modules.push(module(name, "esModule", path));
    if (name.endsWith(".wasm")) modules.push(module(name, "wasm", path));
  }
  await writeFile(join(folder, "config.capnp"), `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "vectors", worker = (modules = [${modules.join(", ")}], compatibilityDate = "2026-01-01"))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "vectors")],
);
`);
  const process = spawn(workerd, ["serve", "--control-fd=3", join(folder, "config.capnp")], { stdio: ["ignore", "inherit", "inherit", "pipe"] });
  try {
    let port;
    for await (const line of createInterface({ input: process.stdio[3] })) {
      const event = JSON.parse(line);
      if (event.event === "listen") port = event.port;
      if (port) break;
    }
    if (!port) throw new Error("workerd did not start");
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: JSON.stringify(await vectors()) });
    if (!response.ok) throw new Error(await response.text());
    const { version } = JSON.parse(await readFile(new URL("../node_modules/workerd/package.json", import.meta.url), "utf8"));
    print(`${entry}, workerd ${version}`, await response.json());
  } finally {
    process.kill();
    await once(process, "exit");
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
