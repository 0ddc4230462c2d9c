// Something that is published at a URL: held in this isolate, and in the cache that its neighbours share.

/** Seconds for which the cache keeps a copy. */
const KEPT = 600
/** Seconds between two tries. */
const RETRY = 5

const now = () => Date.now() / 1000

export class Source {
  #refresh
  #checked = -Infinity
  #tried = -Infinity
  text
  etag

  /** `refresh`: seconds after which it is looked for again. */
  constructor(url, refresh) {
    this.url = url
    this.#refresh = refresh
  }

  /** Seconds since it was known to be the newest. */
  get age() {
    return now() - this.#checked
  }

  /** Looks for a newer one when it is time. Only who has nothing waits for it; nobody for what another request waits for. */
  async look(ctx) {
    if (this.age <= this.#refresh || now() - this.#tried <= Math.min(RETRY, this.#refresh)) return
    if (this.text !== undefined) this.#tried = now()
    const looking = this.#fetch().catch((error) => console.error(`${this.url}: ${error}`))
    if (this.text === undefined) await looking
    else ctx.waitUntil(looking)
  }

  async #fetch() {
    if (this.text === undefined) {
      const cached = await caches.default.match(this.url)
      if (cached) {
        await this.#take(cached)
        // A neighbour looked then.
        this.#checked = Date.parse(cached.headers.get('date') ?? '') / 1000 || -Infinity
        if (this.age <= this.#refresh) return
      }
    }
    const answer = await fetch(this.url, { headers: this.etag === undefined ? {} : { 'if-none-match': this.etag } })
    if (answer.status !== 304) {
      if (!answer.ok) throw new Error(`status ${answer.status}`)
      await this.#take(answer)
    }
    this.#checked = now()
    const headers = { 'cache-control': `max-age=${KEPT}`, etag: this.etag, date: new Date().toUTCString() }
    await caches.default.put(this.url, new Response(this.text, { headers }))
  }

  async #take(answer) {
    this.text = await answer.text()
    // One without an ETag has its content's.
    const digest = async () => new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(this.text)))
    this.etag = answer.headers.get('etag') ?? `"${Array.from(await digest(), (byte) => byte.toString(16).padStart(2, '0')).join('')}"`
  }
}
