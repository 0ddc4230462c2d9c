import { money, readChallenge, readPayment, samePayment, transactionData, visible } from './challenge.js'
import type { ChallengeResponse, Payment } from './challenge.js'
import { CheckoutError } from './error.js'
import { Host } from './host.js'
import type { Outcome } from './host.js'
import { forget, keep, kept } from './kept.js'
import { css } from './style.js'
import { sentenceOf, textsFor } from './texts.js'
import type { Texts } from './texts.js'
import { ask, canAsk } from './wallet.js'
import type { Present } from './wallet.js'

/** Where a checkout stands. */
export type CheckoutState = 'idle' | 'starting' | 'ready' | 'wallet' | 'link' | 'elsewhere' | 'checking' | 'step-up' | 'allowed' | 'refused'

/** What events carry. */
export interface CheckoutDetail {
  /** The decision's identifier, by which the shop's server asks the host for it. None before there is a challenge. */
  readonly id: string | undefined
  /** Stable code of the reason: the host's, the policy's, or `checkout.*`. */
  readonly code: string
  /** What was asked for, where that is known. */
  readonly payment: Payment | undefined
}

/** Of events whose cause is not the host's word. */
export interface CheckoutErrorDetail extends CheckoutDetail {
  readonly error: unknown
}

export interface CheckoutEvents {
  'bandpass-allow': CustomEvent<CheckoutDetail>
  'bandpass-deny': CustomEvent<CheckoutDetail>
  'bandpass-step-up': CustomEvent<CheckoutDetail>
  'bandpass-cancel': CustomEvent<CheckoutDetail>
  'bandpass-error': CustomEvent<CheckoutErrorDetail>
}

/** What a state shows, and what its button does. */
interface View {
  readonly state: CheckoutState
  readonly message?: keyof Texts
  readonly code?: string
  readonly action?: readonly [label: keyof Texts, act: () => void]
  readonly link?: string
}

/** A challenge under way. */
interface Under {
  readonly host: Host
  readonly challenge: ChallengeResponse
  readonly payment: Payment
  /** What the wallet sent the shopper back with. */
  readonly responseCode?: string
}

interface Parts {
  readonly panel: HTMLElement
  readonly payment: HTMLElement
  readonly amountLabel: HTMLElement
  readonly amount: HTMLElement
  readonly payeeLabel: HTMLElement
  readonly payee: HTMLElement
  readonly progress: HTMLElement
  readonly alert: HTMLElement
  readonly code: HTMLElement
  readonly link: HTMLAnchorElement
  readonly action: HTMLButtonElement
  readonly cancel: HTMLButtonElement
}

const CAN_CANCEL: readonly CheckoutState[] = ['starting', 'ready', 'wallet', 'link', 'step-up']
/** What the host says of a token, or of its place, is a verdict; all else is trouble. */
const VERDICT =
  /^(challenge|token|issuer|disclosure|credential|holder|transaction|status|approval|evidence|claims|response|step-up)\.|^request\.forbidden$/

let sheet: CSSStyleSheet | undefined

/** One sheet for all elements, which no content security policy keeps out. */
function dress(root: ShadowRoot): void {
  if (!sheet) {
    sheet = new CSSStyleSheet()
    sheet.replaceSync(css)
  }
  root.adoptedStyleSheets = [sheet]
}

const send = (element: HTMLElement, event: keyof CheckoutEvents, detail: CheckoutDetail) =>
  element.dispatchEvent(new CustomEvent(event, { detail, bubbles: true, composed: true }))

/**
 * Pays with a band.
 *
 * @tag bandpass-checkout
 *
 * @attr {string} host - The host's `public_url`.
 * @attr {string} challenge-url - The shop's address that answers a POST with what the host's `POST /v1/challenges` answered.
 * @attr {string} lang - Language of the texts, `en` or `zh`; the page's unless given.
 *
 * @fires {CustomEvent<CheckoutDetail>} bandpass-allow - The host allowed it. The shop's server must ask the host itself.
 * @fires {CustomEvent<CheckoutDetail>} bandpass-deny - The host, or the shop's policy, refused.
 * @fires {CustomEvent<CheckoutDetail>} bandpass-step-up - The shop's policy asks for more; the element asks the shopper.
 * @fires {CustomEvent<CheckoutDetail>} bandpass-cancel - The shopper cancelled, or declined in the wallet.
 * @fires {CustomEvent<CheckoutErrorDetail>} bandpass-error - Nothing was decided, or it could not be heard.
 *
 * @csspart panel - All of it.
 * @csspart payment - Amount and payee.
 * @csspart amount - The amount.
 * @csspart payee - The payee's name.
 * @csspart message - What is going on.
 * @csspart code - The code of a refusal.
 * @csspart button - Buttons, and the link to a wallet.
 * @csspart cancel - The button that cancels.
 *
 * @cssproperty --bandpass-accent - Buttons and progress.
 * @cssproperty --bandpass-on-accent - Text on buttons.
 * @cssproperty --bandpass-ink - Text.
 * @cssproperty --bandpass-dim - Lesser text.
 * @cssproperty --bandpass-paper - Background.
 * @cssproperty --bandpass-line - Borders.
 * @cssproperty --bandpass-good - What was confirmed.
 * @cssproperty --bandpass-bad - What was refused.
 * @cssproperty --bandpass-radius - Roundness of corners.
 */
export class BandpassCheckout extends HTMLElement {
  static readonly observedAttributes = ['lang']

  /** Gets a challenge from the shop, in place of `challenge-url`. */
  declare challenge: (() => Promise<ChallengeResponse>) | undefined
  /** Answers requests in place of the browser's Digital Credentials API. */
  declare present: Present | undefined

  #texts: Partial<Texts> = {}
  #view: View = { state: 'idle', action: ['pay', () => this.start()] }
  #under: Under | undefined
  #payment: Payment | undefined
  #stop = new AbortController()
  readonly #parts: Parts = parts()

  constructor() {
    super()
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true })
    dress(root)
    root.append(this.#parts.panel)
    this.#parts.action.addEventListener('click', () => this.#view.action?.[1]())
    this.#parts.cancel.addEventListener('click', () => this.cancel())
  }

  /** The host's `public_url`. */
  get host(): string {
    return this.getAttribute('host') ?? ''
  }
  set host(url: string) {
    this.setAttribute('host', url)
  }

  /** The shop's address for challenges. */
  get challengeUrl(): string {
    return this.getAttribute('challenge-url') ?? ''
  }
  set challengeUrl(url: string) {
    this.setAttribute('challenge-url', url)
  }

  /** Texts in place of the element's own. */
  get texts(): Partial<Texts> {
    return this.#texts
  }
  set texts(texts: Partial<Texts>) {
    this.#texts = texts
    this.#render()
  }

  /** Where it stands. */
  get state(): CheckoutState {
    return this.#view.state
  }

  /** @internal */
  connectedCallback(): void {
    // Set before the element was defined, they would hide what this class says of them.
    for (const name of ['host', 'challengeUrl', 'texts']) {
      if (!Object.hasOwn(this, name)) continue
      const value: unknown = Reflect.get(this, name)
      Reflect.deleteProperty(this, name)
      Reflect.set(this, name, value)
    }
    this.#render()
    if (this.#view.state === 'idle') this.#resume()
  }

  /** @internal */
  disconnectedCallback(): void {
    // Moved within the page, it goes on.
    queueMicrotask(() => this.isConnected || this.cancel())
  }

  /** @internal */
  attributeChangedCallback(): void {
    this.#render()
  }

  /** Asks the shop for a challenge, and goes on from there: what the button does. Without a click before it, it shows amount
   * and payee and waits for one. */
  start(): void {
    this.#close()
    this.#run(async (signal) => {
      this.#under = this.#payment = undefined
      this.#show({ state: 'starting', message: 'starting' })
      const host = new Host(this.host)
      const challenge = readChallenge(await this.#ask(signal))
      await this.#meet(host, challenge, signal)
    })
  }

  /** Stops what is under way. What was sent to the host already stays sent. */
  cancel(): void {
    const under = this.#under
    if (this.state === 'link' && under) {
      // The wallet may have answered meanwhile, so the host says what came of it.
      return this.#run(async (signal) => {
        this.#show({ state: 'checking', message: 'checking' })
        await under.host.decline(under.challenge, signal).catch(() => undefined)
        await this.#follow(under, signal)
      })
    }
    if (!CAN_CANCEL.includes(this.state)) return
    this.#stop.abort()
    this.#close()
    this.#refuse('bandpass-cancel', 'checkout.cancelled')
  }

  /** One thing at a time: what went on before ends. */
  #run(work: (signal: AbortSignal) => Promise<void>): void {
    this.#stop.abort()
    const { signal } = (this.#stop = new AbortController())
    work(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#failed(error)
    })
  }

  async #ask(signal: AbortSignal): Promise<unknown> {
    try {
      if (this.challenge) return await this.challenge()
      if (!this.challengeUrl) throw new Error('neither `challenge` nor `challenge-url` is set')
      const answer = await fetch(this.challengeUrl, { method: 'POST', headers: { accept: 'application/json' }, cache: 'no-store', signal })
      if (!answer.ok) throw new Error(`the shop answered ${answer.status}`)
      return await answer.json()
    } catch (error) {
      throw new CheckoutError('checkout.shop', 'the shop gave no challenge', { cause: error })
    }
  }

  /** Shows what a challenge asks for, and takes it to a wallet. `before`: what it must still be, after a step-up. */
  async #meet(host: Host, challenge: ChallengeResponse, signal: AbortSignal, before?: Payment): Promise<void> {
    const entries = transactionData(challenge, await host.request(challenge, signal))
    const payment = readPayment(entries)
    signal.throwIfAborted()
    if (before && !samePayment(before, payment)) throw new CheckoutError('checkout.changed', 'the step-up is for another payment')
    this.#payment = payment
    this.#under = { host, challenge, payment }
    if (challenge.redirect) {
      keep({ host: this.host, challenge, entries })
      this.#show({ state: 'link', message: 'link', link: challenge.redirect.wallet_url })
      return this.#follow(this.#under, signal)
    }
    const request = challenge.dc_api
    if (!request || !(this.present || canAsk(request))) throw new CheckoutError('checkout.wallet', 'the browser asks no wallets')
    const present = () => this.#run((signal) => this.#present(signal))
    // Browsers ask a wallet only after a click that was not long ago.
    if (this.present || navigator.userActivation.isActive) return this.#present(signal)
    this.#show({ state: 'ready', message: 'ready', action: ['payNow', present] })
  }

  async #present(signal: AbortSignal): Promise<void> {
    const under = this.#under
    const request = under?.challenge.dc_api
    if (!under || !request) return
    this.#show({ state: 'wallet', message: 'wallet' })
    let data
    try {
      data = await ask(request, this.present, signal)
      signal.throwIfAborted()
    } catch (error) {
      if (signal.aborted) throw error
      this.#close()
      throw error
    }
    this.#show({ state: 'checking', message: 'checking' })
    try {
      await under.host.respond(under.challenge, data, signal)
    } catch (error) {
      throw unheard(error, SENT)
    }
    await this.#follow(under, signal)
  }

  /** Shows what the host decides. */
  async #follow(under: Under, signal: AbortSignal): Promise<void> {
    const { host, challenge, responseCode } = under
    try {
      for await (const outcome of host.follow(challenge, responseCode, signal)) {
        signal.throwIfAborted()
        switch (outcome.status) {
          case 'pending':
            // The wallet may answer again.
            if (outcome.refusal !== undefined) this.#show({ ...this.#view, message: sentenceOf(outcome.refusal), code: outcome.refusal })
            break
          case 'expired':
            return this.#refuse('bandpass-deny', 'challenge.expired')
          case 'closed':
            return outcome.refusal === 'wallet.error'
              ? this.#refuse('bandpass-cancel', outcome.refusal)
              : this.#refuse('bandpass-deny', 'challenge.attempts')
          case 'decided':
            return this.#decided(outcome)
        }
      }
    } catch (error) {
      if (error instanceof CheckoutError && error.code === 'request.forbidden' && challenge.redirect && responseCode === undefined)
        return this.#show({ state: 'elsewhere', message: 'elsewhere' })
      throw unheard(error, HEARD)
    }
  }

  #decided(outcome: Outcome & { status: 'decided' }): void {
    const { decision, reason } = outcome
    switch (decision) {
      case 'allow':
        forget()
        this.#show({ state: 'allowed', message: 'allowed' })
        return this.#tell('bandpass-allow', reason)
      case 'deny':
        return this.#refuse('bandpass-deny', reason)
      case 'step-up': {
        const message = outcome.methods.includes('face') ? 'stepUpFace' : 'stepUpAsked'
        this.#show({ state: 'step-up', message, action: ['stepUp', () => this.#stepUp()] })
        return this.#tell('bandpass-step-up', reason)
      }
    }
  }

  #stepUp(): void {
    const under = this.#under
    if (!under) return
    this.#run(async (signal) => {
      this.#show({ state: 'starting', message: 'checking' })
      const challenge = readChallenge(await under.host.stepUp(under.challenge, signal))
      await this.#meet(under.host, challenge, signal, under.payment)
    })
  }

  /** Goes on where the wallet sent the shopper back to. */
  #resume(): void {
    const address = new URL(location.href)
    const code = address.searchParams.get('response_code')
    const found = code === null ? undefined : kept(this.host)
    if (code === null || !found) return
    // It is for this once; nobody needs it in the history.
    address.searchParams.delete('response_code')
    history.replaceState(history.state, '', address)
    this.#run(async (signal) => {
      const under = { host: new Host(found.host), challenge: found.challenge, payment: readPayment(found.entries), responseCode: code }
      this.#under = under
      this.#payment = under.payment
      this.#show({ state: 'checking', message: 'checking' })
      await this.#follow(under, signal)
    })
  }

  #failed(error: unknown): void {
    const code = error instanceof CheckoutError ? error.code : 'checkout.failed'
    if (code === 'wallet.error') return this.#refuse('bandpass-cancel', code)
    if (code === 'checkout.unknown') {
      this.#show({ state: 'refused', message: 'unknown', code, action: ['again', () => this.#again()] })
      return this.#tell('bandpass-error', code, error)
    }
    if (VERDICT.test(code)) this.#refuse('bandpass-deny', code)
    else this.#refuse('bandpass-error', code, error)
  }

  /** Looks again for a decision that could not be heard. */
  #again(): void {
    const under = this.#under
    if (!under) return
    this.#run(async (signal) => {
      this.#show({ state: 'checking', message: 'checking' })
      await this.#follow(under, signal)
    })
  }

  /** A challenge that the shopper gives up is closed. If that fails, it expires. */
  #close(): void {
    forget()
    const under = this.#under
    if (under && ['ready', 'wallet', 'link'].includes(this.state))
      under.host.decline(under.challenge, AbortSignal.timeout(10_000)).catch(() => undefined)
  }

  #refuse(event: 'bandpass-deny' | 'bandpass-cancel' | 'bandpass-error', code: string, error?: unknown): void {
    forget()
    this.#show({ state: 'refused', message: sentenceOf(code), code, action: ['retry', () => this.start()] })
    this.#tell(event, code, error)
  }

  #tell(event: keyof CheckoutEvents, code: string, error?: unknown): void {
    const detail = { id: this.#under?.challenge.id, code, payment: this.#payment, ...(event === 'bandpass-error' && { error }) }
    send(this, event, detail)
  }

  #show(view: View): void {
    this.#view = view
    this.#render()
  }

  #render(): void {
    const { panel, payment, amountLabel, amount, payeeLabel, payee, progress, alert, code, link, action, cancel } = this.#parts
    const { state, message, code: reason, action: does, link: url } = this.#view
    const wanted = languageOf(this)
    const language = /^(en|zh)\b/i.test(wanted) || Object.keys(this.#texts).length > 0 ? wanted : 'en'
    const texts: Texts = { ...textsFor(language), ...this.#texts }
    const focused = this.shadowRoot?.activeElement
    panel.lang = language
    panel.ariaLabel = texts.pay
    panel.dataset['state'] = state
    payment.hidden = !this.#payment
    if (this.#payment) {
      say(amountLabel, texts.amount)
      say(amount, money(this.#payment, language))
      say(payeeLabel, texts.payee)
      say(payee, visible(this.#payment.payee.name))
    }
    const said = message === undefined ? '' : texts[message]
    const refused = state === 'refused' || (state === 'link' && reason !== undefined)
    say(progress, refused ? '' : said)
    say(alert, refused ? said : '')
    code.hidden = !refused || reason === undefined
    say(code, reason === undefined ? '' : texts.code + visible(reason))
    link.hidden = url === undefined
    if (url !== undefined) link.href = url
    say(link, texts.open)
    action.hidden = !does
    if (does) say(action, texts[does[0]])
    cancel.hidden = !CAN_CANCEL.includes(state)
    say(cancel, texts.cancel)
    // The focus stays in the element when what had it is gone.
    if (focused instanceof HTMLElement && focused.hidden) {
      const next = [action, link].find(({ hidden }) => !hidden) ?? panel
      next.focus()
    }
  }
}

/** Errors after which nobody knows what came of an answer that was sent. */
const SENT = /^checkout\.(unreachable|malformed)$|^request\.timeout$/
/** The same of a decision that was waited for: that the host is busy then says nothing of the decision. */
const HEARD = /^checkout\.(unreachable|malformed)$|^host\.|^request\.(?!forbidden)/

function unheard(error: unknown, codes: RegExp): unknown {
  const lost = error instanceof CheckoutError && codes.test(error.code)
  return lost ? new CheckoutError('checkout.unknown', 'what was decided could not be heard', { cause: error }) : error
}

/** The language of an element, given or inherited, through shadow trees. */
function languageOf(element: Element): string {
  const found = element.closest('[lang]')
  if (found) return found.getAttribute('lang') || navigator.language
  const root = element.getRootNode()
  return root instanceof ShadowRoot ? languageOf(root.host) : navigator.language
}

/** Changes a text only if it is another, so that it is not read out again. */
function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

function make<Name extends keyof HTMLElementTagNameMap>(name: Name, part: string, ...children: Node[]): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  if (part) made.setAttribute('part', part)
  made.append(...children)
  return made
}

/** What is in the shadow tree, which never changes but for texts and what is hidden. */
function parts(): Parts {
  const [amountLabel, amount, payeeLabel, payee] = [make('dt', ''), make('dd', 'amount'), make('dt', ''), make('bdi', '')]
  const payment = make('dl', 'payment', make('div', '', amountLabel, amount), make('div', '', payeeLabel, make('dd', 'payee', payee)))
  const [progress, alert, code] = [make('p', 'message'), make('p', 'message'), make('p', 'code')]
  alert.role = 'alert'
  const status = make('div', '', payment, progress)
  status.role = 'status'
  // Only what changes is read out: what is asked for, then how it goes.
  status.ariaAtomic = 'false'
  const [link, action, cancel] = [make('a', 'button'), make('button', 'button'), make('button', 'cancel')]
  link.rel = 'noreferrer'
  action.type = cancel.type = 'button'
  const panel = make('div', 'panel', status, alert, code, make('div', 'actions', action, link, cancel))
  panel.role = 'group'
  panel.tabIndex = -1
  return { panel, payment, amountLabel, amount, payeeLabel, payee, progress, alert, code, link, action, cancel }
}
