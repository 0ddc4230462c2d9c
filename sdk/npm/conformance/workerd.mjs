// The vectors in workerd: node workerd.mjs ENTRY.
import { print, vectors } from './lines.mjs'
import { version, withWorker } from './worker.mjs'

const entry = process.argv[2]
const script = `
import * as verifier from './package/${entry}'
import { answers } from './conformance/answer.mjs'
export default {
  async fetch(request) {
    return Response.json(await answers(verifier, await request.json()))
  },
}
`

await withWorker(script, async (url) => {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(await vectors()) })
  if (!response.ok) throw new Error(await response.text())
  print(`${entry}, workerd ${version}`, await response.json())
})
