// What a composed policy makes of a vector. Runs wherever the policy does.
import { given } from './answer.mjs'

/** The line for a vector; `policies` has for the name of each what makes one. */
export function ruling(policies, vector) {
  const { options, token, expected: { query, require, ...expected } } = given(vector)
  try {
    const policy = policies[vector.policy]({ trust: options.trust, settings: vector.settings })
    for (const list of options.statusLists) policy.updateStatus(list, options.now)
    return { name: vector.name, ...policy.decide(token, { ...expected, merchant: 'merchant-7' }) }
  } catch (error) {
    if (error.name !== 'BandpassError') throw error
    return { name: vector.name, decision: 'deny', reason: error.code, message: error.message }
  }
}
