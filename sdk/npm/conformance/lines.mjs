// Vectors from standard input, a line each; the verifier's name and its answers to standard output.
import { text } from "node:stream/consumers";

export async function vectors() {
  const lines = (await text(process.stdin)).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

export function print(verifier, answers) {
  process.stdout.write([{ verifier }, ...answers].map((line) => `${JSON.stringify(line)}\n`).join(""));
}
