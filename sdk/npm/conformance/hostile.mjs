// A policy that misbehaves: node --import wasm-modules.mjs hostile.mjs FILE DEED.., with a vector on standard input. Prints
// for each deed its reason, and that of a good one afterwards, with another instance of the same policy or the same one.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import { given } from './answer.mjs'
import { vectors } from './lines.mjs'

const [file, ...deeds] = process.argv.slice(2)
const { createPolicy } = await import(pathToFileURL(resolve(file)).href)
const [vector] = await vectors()
const { options, token, expected: { query, require, ...expected } } = given(vector)

function policy(settings) {
  const made = createPolicy({ trust: options.trust, settings })
  for (const list of options.statusLists) made.updateStatus(list, options.now)
  return made
}

function reason(work) {
  try {
    return work().reason
  } catch (error) {
    if (error.name !== 'BandpassError') throw error
    return error.code
  }
}

const decide = (policy) => reason(() => policy.decide(token, { ...expected, merchant: 'm' }))
const good = policy('"allow"')
const found = {}
for (const deed of deeds) found[deed] = { deed: reason(() => ({ reason: decide(policy(JSON.stringify(deed))) })), afterwards: decide(good) }
const keeping = policy('"keep-handle"')
found['keep-handle'] = [decide(keeping), decide(keeping)]
// After a trap the same policy decides on, in another instance with the same status lists.
const trapping = policy('"trap-after-verify"')
if (decide(trapping) !== 'plugin.trap' || decide(trapping) !== 'plugin.trap') throw new Error('an instance was kept')
console.log(JSON.stringify(found))
