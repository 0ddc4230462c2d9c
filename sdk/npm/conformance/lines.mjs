// Vectors from standard input, a line each; the verifier's name and its answers to standard output.
import { text } from 'node:stream/consumers'

/** Numbers that JavaScript would round, as strings. */
const marked = (json) => json.replace(/(?<=[:,[])(\d{16,})(?=[,}\]])/g, '"#$1"')

/** `dcql` as the text of what was sent. */
export async function vectors() {
  const lines = (await text(process.stdin)).split('\n').filter((line) => line !== '')
  return lines.map((line) => {
    const { expected, ...vector } = JSON.parse(line)
    if (expected.dcql === undefined) return { ...vector, expected }
    const dcql = JSON.stringify(JSON.parse(marked(line)).expected.dcql).replaceAll(/"#(\d+)"/g, '$1')
    return { ...vector, expected: { ...expected, dcql } }
  })
}

export function print(verifier, answers) {
  process.stdout.write([{ verifier }, ...answers].map((line) => `${JSON.stringify(line)}\n`).join(''))
}
