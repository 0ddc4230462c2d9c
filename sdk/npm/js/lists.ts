import type { StatusListInfo } from './types.js'

/** Status list tokens that are held, each with the time at which it was taken in: what another instance is given. */
export class Lists {
  /** By what takes their place, in the order in which they were taken in. */
  readonly #held = new Map<string, readonly [token: Uint8Array, now: number]>()

  /** In place of the issuer's earlier one. */
  hold({ uri, issuers }: StatusListInfo, token: Uint8Array, now: number): void {
    const key = JSON.stringify([uri, issuers])
    this.#held.delete(key)
    this.#held.set(key, [token, now])
  }

  all(): Iterable<readonly [token: Uint8Array, now: number]> {
    return this.#held.values()
  }
}
