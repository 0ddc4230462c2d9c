// The switches and the screen around the simulated band and phone.
import { language, texts } from './texts.js'
import { Wallet, decoded } from './wallet.js'

const part = (id) => document.getElementById(id)

/** The band and phone of this page. */
export let wallet

export async function simulator(checkout, post) {
  wallet = await Wallet.create(async (band, phone) => (await post('/wallet/credentials', { band, phone })).credential)
  const [worn, unlocked, lost, withYou, browser] = ['worn', 'unlocked', 'lost', 'with-you', 'browser'].map(part)

  const show = () => {
    const state = lost.checked ? 'bandLost' : !worn.checked ? 'bandOff' : !unlocked.checked ? 'bandLocked' : 'bandReady'
    part('band-state').textContent = texts[state]
    part('band-state').parentElement.dataset.state = state
    unlocked.disabled = !worn.checked
    part('quiet').textContent = withYou.checked ? texts.phoneQuiet : texts.phoneHome
    part('screen').toggleAttribute('data-away', !withYou.checked)
  }
  worn.addEventListener('change', () => {
    if (worn.checked) wallet.putOn()
    else wallet.takeOff()
    unlocked.checked = false
    show()
  })
  unlocked.addEventListener('change', () => {
    if (unlocked.checked) wallet.unlock()
    else wallet.lock()
    show()
  })
  lost.addEventListener('change', async () => {
    lost.disabled = true
    await post('/wallet/lost', { band: wallet.band, lost: lost.checked })
    lost.disabled = false
    show()
  })
  withYou.addEventListener('change', show)
  browser.addEventListener('change', () => {
    checkout.present = browser.checked ? undefined : present
  })

  /** Answers for the browser: by what the shopper does with band and phone. */
  async function present(request, { signal }) {
    const action = await prompt(request, withYou.checked, signal)
    checkout.focus()
    if (action === 'decline') return { error: 'access_denied' }
    return wallet.answer(request, location.origin, action === 'press' ? undefined : action)
  }

  checkout.present = present
  show()
}

/** Asks on the phone, or on the band if the phone is elsewhere; resolves with the button that is pressed. */
function prompt({ data }, withPhone, signal) {
  const { payload } = decoded(data.transaction_data[0])
  const digits = payload.amount.split('.')[1]?.length ?? 0
  part('asks').textContent = `${payload.payee.name} ${withPhone ? texts.asks : texts.asksBand}`
  part('asked').textContent = new Intl.NumberFormat(language, { style: 'currency', currency: payload.currency, minimumFractionDigits: digits }).format(payload.amount)
  const buttons = { fpt: withPhone, face: withPhone, press: !withPhone, decline: true }
  for (const [id, is] of Object.entries(buttons)) part(id).hidden = !is
  const show = (is) => {
    part('prompt').hidden = !is
    part('quiet').hidden = is
  }
  show(true)
  part('screen').scrollIntoView({ block: 'nearest' })
  part('prompt').focus()
  const done = new AbortController()
  return new Promise((resolve, reject) => {
    for (const id of Object.keys(buttons)) part(id).addEventListener('click', () => resolve(id), { signal: done.signal })
    signal.addEventListener('abort', () => reject(signal.reason), { signal: done.signal })
  }).finally(() => {
    done.abort()
    show(false)
  })
}
