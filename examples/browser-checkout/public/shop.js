// The shop's page. What it sells and for how much says the server.
import './checkout/index.js'
import { simulator } from './simulator.js'
import { language, texts } from './texts.js'

const part = (id) => document.getElementById(id)
const checkout = part('checkout')
const basket = new Set(['longjing'])
let order

document.documentElement.lang = language
for (const element of document.querySelectorAll('[data-text]')) element.textContent = texts[element.dataset.text]
for (const link of document.querySelectorAll('nav a')) link.toggleAttribute('aria-current', link.lang === language)

const post = async (path, body) => {
  const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
  return answer.json()
}

const { host, prices, currency } = await (await fetch('/config')).json()
const money = new Intl.NumberFormat(language, { style: 'currency', currency })

/** An element with text, or with others, in it. */
function make(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

for (const tea of Object.keys(prices)) {
  const button = make('button', { type: 'button', id: tea, onclick: () => toggle(tea) })
  const name = make('h2', { id: `${tea}-name` }, texts[tea])
  button.setAttribute('aria-describedby', name.id)
  part('teas').append(
    make('li', {}, make('img', { src: `${tea}.svg`, alt: '', width: 96, height: 96 }),
      make('div', {}, name, make('p', {}, texts[`${tea}Is`])),
      make('div', { className: 'buy' }, make('p', { className: 'price' }, money.format(prices[tea])), button)),
  )
}

function toggle(tea) {
  if (!basket.delete(tea)) basket.add(tea)
  // What was asked for is no longer what is in the basket.
  checkout.cancel()
  show()
}

function show() {
  const teas = Object.keys(prices)
  for (const tea of teas) {
    part(tea).textContent = basket.has(tea) ? texts.remove : texts.add
    part(tea).classList.toggle('lesser', basket.has(tea))
  }
  const chosen = teas.filter((tea) => basket.has(tea))
  part('lines').replaceChildren(...chosen.map((tea) => make('li', {}, make('span', {}, texts[tea]), make('span', {}, money.format(prices[tea])))))
  part('sum').textContent = money.format(chosen.reduce((sum, tea) => sum + Number(prices[tea]), 0))
  part('empty').hidden = chosen.length > 0
  part('total').hidden = checkout.hidden = chosen.length === 0
}

checkout.host = host
checkout.challenge = async () => {
  const made = await post('/orders', { items: [...basket] })
  order = made.order
  return made.challenge
}

// That the page heard of an allow is no proof: the shop's server asks the host.
checkout.addEventListener('bandpass-allow', async ({ detail: { id } }) => {
  const { paid } = await post('/orders/paid', { order, decision: id }).catch(() => ({ paid: false }))
  part('order').textContent = order.slice(0, 8)
  document.querySelector('.thanks').textContent = paid ? texts.thanks : texts.failed
  for (const tea of Object.keys(prices)) part(tea).disabled = true
  checkout.hidden = true
  part('receipt').hidden = false
  part('more').focus()
})

part('more').addEventListener('click', () => location.reload())

show()
await simulator(checkout, post)
document.documentElement.dataset.ready = ''
