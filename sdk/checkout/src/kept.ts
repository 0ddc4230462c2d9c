// What outlives the way to a wallet and back. The wallet may open another tab, so it is kept for the whole origin, until its
// decision is told.
import { readChallenge } from './challenge.js'
import type { ChallengeResponse } from './challenge.js'
import { object, parse } from './json.js'

const NAME = 'bandpass-checkout'

export interface Kept {
  readonly host: string
  readonly challenge: ChallengeResponse
  /** The entries of the transaction data, as they were shown. */
  readonly entries: unknown
}

/** Browsers may be told to keep nothing. Then wallets on other devices work all the same. */
function withStorage<T>(work: (storage: Storage) => T): T | undefined {
  try {
    return work(localStorage)
  } catch {
    return undefined
  }
}

export const keep = (kept: Kept) => withStorage((storage) => storage.setItem(NAME, JSON.stringify(kept)))

export const forget = () => withStorage((storage) => storage.removeItem(NAME))

/** What was kept for this host, if it is what was kept. */
export const kept = (host: string): Kept | undefined =>
  withStorage((storage) => {
    const found = object(parse(storage.getItem(NAME) ?? '', 'what was kept'), 'what was kept')
    return found['host'] === host ? { host, challenge: readChallenge(found['challenge']), entries: found['entries'] } : undefined
  })
