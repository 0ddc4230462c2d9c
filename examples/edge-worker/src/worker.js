// A checkout at the edge: hands out challenges, verifies what wallets answer, and lets the merchant's own policy decide.
import { DurableObject } from 'cloudflare:workers'

import { checkout } from './checkout.js'

/** One for each transaction: what may happen once, happens once. Forgets itself when nothing can come any more. */
export class Transaction extends DurableObject {
  /** Whether this challenge is the first to be allowed: else the code of why not. */
  allow(challenge, expires) {
    return this.#once('allowed', challenge, expires)
  }

  /** Whether it is the first time that a step-up is taken up. */
  stepUp(challenge, expires) {
    return this.#once('stepped-up', challenge, expires)
  }

  // Nothing else runs in between: input gates close while the store is at work.
  async #once(what, challenge, expires) {
    const before = await this.ctx.storage.get(what)
    if (before !== undefined) return before === challenge ? 'challenge.used' : 'transaction.used'
    await this.ctx.storage.put(what, challenge)
    await this.ctx.storage.setAlarm((expires + 600) * 1000)
    return undefined
  }

  async alarm() {
    await this.ctx.storage.deleteAll()
  }
}

export default {
  fetch: (request, env, ctx) => checkout(request, env, ctx, (id) => env.TRANSACTIONS.get(env.TRANSACTIONS.idFromName(id))),
}
