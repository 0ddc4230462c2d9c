// Composed policies in workerd: node policies-workerd.mjs FOLDER NAME.., with what `bandpass-edge` made.
import { print, vectors } from './lines.mjs'
import { version, withWorker } from './worker.mjs'

const [folder, ...names] = process.argv.slice(2)
const script = `
${names.map((name, place) => `import { createPolicy as policy${place} } from './policies/${name}.js'`).join('\n')}
import { ruling } from './conformance/policy.mjs'
const policies = { ${names.map((name, place) => `'${name}': policy${place}`).join(', ')} }
export default {
  async fetch(request) {
    return Response.json((await request.json()).map((vector) => ruling(policies, vector)))
  },
}
`

await withWorker(script, async (url) => {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(await vectors()) })
  if (!response.ok) throw new Error(await response.text())
  print(`composed, workerd ${version}`, await response.json())
}, { policies: folder })
