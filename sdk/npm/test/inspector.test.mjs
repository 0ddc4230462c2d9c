// The token inspector in Chromium, from disk and without a network. Pictures are left in `target/pictures`.
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'

import { open } from '../conformance/browser.mjs'
import { given, load, PACKAGE, vector } from './help.mjs'

const dist = join(PACKAGE, '..')
const pictures = join(dist, '../pictures')
const file = join(dist, 'inspector.html')
const { createVerifier } = await load('inline.js')

let browser, context, page
const requests = []
const troubles = []

before(async () => {
  await mkdir(pictures, { recursive: true })
  browser = await open()
  context = await browser.newContext({ viewport: { width: 1280, height: 1000 } })
  await context.setOffline(true)
  context.on('request', (request) => requests.push(request.url()))
  context.on('console', (message) => message.type() === 'error' && troubles.push(message.text()))
  context.on('weberror', (error) => troubles.push(String(error.error())))
  page = await context.newPage()
  await page.goto(pathToFileURL(file).href)
  await settled()
})

after(() => browser?.close())

/** Until the page has looked at what was entered. */
const settled = () => page.locator('#result[aria-busy=false]').waitFor({ state: 'attached' })

const clear = () => page.getByRole('button', { name: 'Clear' }).click()

async function enter(values) {
  await clear()
  await page.evaluate((values) => {
    for (const details of document.querySelectorAll('form details')) details.open = true
    for (const [id, value] of Object.entries(values)) document.getElementById(id).value = value
    document.getElementById('form').dispatchEvent(new Event('input'))
  }, values)
  await settled()
}

/** The members of a vector by the fields that they go into. */
function fields({ trust, status_lists = [], vp_token, expected }) {
  const { audience, nonce, now, max_age, clock_tolerance, status_max_age, transaction_data = [], dcql, query_id, requirements = {} } = expected
  const names = { unlocked_within: 'unlockedWithin', distance_mm: 'distanceMm', age_at_least: 'ageAtLeast', same_holder_as: 'sameHolderAs' }
  const text = { methods: (value) => value.join(' '), claims: (value) => value.map((path) => JSON.stringify(path)).join('\n') }
  const required = Object.entries(requirements).map(([name, value]) => [names[name] ?? name, text[name]?.(value) ?? String(value)])
  return {
    token: vp_token,
    trust: JSON.stringify(trust),
    statusLists: status_lists.join('\n'),
    audience: audience.join(' '),
    nonce,
    now: String(now),
    maxAge: String(max_age),
    clockTolerance: String(clock_tolerance),
    statusMaxAge: String(status_max_age),
    transactionData: transaction_data.join('\n'),
    ...(dcql && { dcql }),
    ...(query_id && { query: query_id }),
    ...Object.fromEntries(required),
  }
}

/** What the page says of each check, in its order. */
const checks = () => page.locator('.stage li').evaluateAll((items) => items.map((item) => ({
  code: item.querySelector('code').textContent,
  section: item.querySelector('.standard').textContent,
  outcome: item.querySelector('.outcome').textContent.replaceAll(' ', '-'),
})))

const verdict = () => page.getByRole('status').innerText()
const shown = (name) => page.getByRole('region', { name, exact: true }).innerText()
const decoded = () => shown('Decoded')

async function picture(name, size = { width: 1280, height: 1900 }, colorScheme = 'light') {
  await page.setViewportSize(size)
  await page.emulateMedia({ colorScheme })
  await page.evaluate(() => scrollTo(0, 0))
  await page.screenshot({ path: join(pictures, `inspector-${name}.png`) })
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1280, height: 1000 })
}

/** What the package itself says of the checks. */
async function explained(one) {
  const { options, token, expected } = given(one)
  return (await createVerifier(options)).explain(token, expected)
}

test('empty, it says what to do', async () => {
  assert.equal(await verdict(), 'Paste a token, or try an example.')
  await picture('empty')
})

test('a good token passes', async () => {
  const one = vector('accept/payment')
  await enter(fields(one))
  assert.equal(await verdict(), 'Accepted. Every check that applies passed.')
  const found = await checks()
  assert.deepEqual(found, await explained(one))
  assert.deepEqual(new Set(found.map(({ outcome }) => outcome)), new Set(['passed', 'not-applicable']))
  const proved = await shown('What it proves')
  assert.match(proved, /35\.00 CNY to Corner Bookshop \(merchant-7\)/)
  assert.match(proved, /Approved by the phone\n2026-09-21 .* UTC, by face/)
  const parts = await decoded()
  for (const part of ['"typ": "dc+sd-jwt"', '"typ": "kb+jwt"', '"typ": "band-approval+jwt"', '"account-1"', 'https://wallet.example/status/1'])
    assert.ok(parts.includes(part), part)
  assert.match(parts, /"exp": 1791072000,  2026-10-04 00:00:00 UTC/)
  assert.match(parts, /= given_name/)
})

// One of each stage.
for (const name of [
  'trust.malformed/member-not-known', 'challenge.malformed/amount-negative', 'token.malformed/four-parts',
  'token.missing/another-query', 'issuer.signature/another-key', 'disclosure.unreferenced/claim', 'credential.expired/just-now',
  'holder.nonce/another', 'transaction.mismatch/another-amount', 'status.signature/another-key', 'status.malformed/cwt-cut',
  'status.revoked/2-bits', 'approval.method/pin-for-face', 'evidence.unlock-stale/by-a-second', 'claims.missing/hidden', 'claims.age/birthday-is-tomorrow',
]) {
  test(`${name} fails`, async () => {
    const one = vector(name)
    await enter(fields(one))
    const { code } = one.result
    assert.match(await verdict(), new RegExp(`^Refused: ${code}\\. `))
    const found = await checks()
    const place = found.findIndex((check) => check.code === code)
    assert.deepEqual(found.filter(({ outcome }) => outcome === 'failed').map((check) => check.code), [code])
    assert.ok(found.slice(0, place).every(({ outcome }) => outcome === 'passed' || outcome === 'not-applicable'))
    const names = (await explained(vector('accept/payment'))).map((check) => check.code)
    assert.deepEqual(found.map((check) => check.code), names)
    assert.equal(await page.locator('li.failed .failure').count(), 1)
  })
}

test('the failed check says what was expected and what was found', async () => {
  await enter(fields(vector('holder.nonce/another')))
  const { nonce } = vector('holder.nonce/another').expected
  const failure = await page.locator('li.failed .failure').innerText()
  assert.match(failure, /Claim\nnonce\n/)
  assert.ok(failure.includes(`Expected\n${nonce}`), failure)
  assert.match(failure, /Actual\n\S+/)
})

test('without a trust list it decodes', async () => {
  await enter({ token: vector('accept/payment').vp_token })
  assert.match(await verdict(), /^Decoded, not checked\./)
  assert.match(await decoded(), /given_name\n\s*"Lin"/)
  assert.equal((await checks()).length, 0)
})

test('what the proof says of itself counts as assumed, not as passed', async () => {
  const { token, trust, statusLists, transactionData } = fields(vector('accept/payment'))
  await enter({ token, trust, statusLists, transactionData })
  assert.match(await verdict(), /^Accepted\. .* own word was taken for: nonce, audience, time\./)
  const assumed = (await checks()).filter(({ outcome }) => outcome === 'assumed').map(({ code }) => code)
  assert.deepEqual(assumed, ['holder.nonce', 'holder.audience', 'holder.stale', 'holder.future'])
  await picture('assumed')
  assert.equal(await page.getByLabel('Time').getAttribute('placeholder'), 'of the proof: 2026-09-21 14:13:15 UTC')
})

test('a vp_token is shown by its queries', async () => {
  const { vp_token, expected } = vector('accept/vp-token')
  await enter({ token: vp_token })
  for (const query of Object.keys(JSON.parse(vp_token))) assert.ok((await decoded()).includes(`Query ${query}`))
  assert.ok(Object.keys(JSON.parse(vp_token)).includes(expected.query_id))
})

test('mistakes are told in place', async () => {
  const good = fields(vector('accept/payment'))
  for (const [id, value, label, said] of [
    ['now', 'yesterday', 'Time', 'This is no time.'],
    ['now', '2026-02-30 25:00', 'Time', 'This is no time.'],
    ['maxAge', 'five', 'Greatest age of the proof, s', 'This is no whole number.'],
    ['ageAtLeast', '300', 'Least age, years', 'Is not a whole number up to 255'],
    ['dcql', '{', 'DCQL query', 'challenge.malformed'],
    ['dcql', '{}', 'DCQL query', 'challenge.malformed'],
    ['claims', '["a"', 'Claims', 'This is not JSON'],
    ['claims', '{"a": 1}', 'Claims', 'A path is a JSON array.'],
    ['transactionData', '!', 'Transaction data', 'challenge.malformed'],
    ['statusLists', '§', 'Status lists', 'Line 1 is neither a JWT nor base64url.'],
    ['statusLists', 'a.b.c', 'Status lists', 'status.malformed'],
    ['trust', '{"issuers":', 'Trust list', 'trust.malformed'],
    ['token', 'a~b', 'Presentation or vp_token', 'token.malformed'],
  ]) {
    await enter({ ...good, [id]: value })
    const field = page.getByLabel(label, { exact: true })
    assert.equal(await field.getAttribute('aria-invalid'), 'true', id)
    const wrong = await page.locator(`#${(await field.getAttribute('aria-describedby')).split(' ')[0]}`).textContent()
    assert.ok(wrong.includes(said) || wrong.includes(said.toLowerCase()), `${id}: ${wrong}`)
    assert.equal(await page.locator('[aria-invalid]').count(), 1)
    assert.doesNotMatch(await verdict(), /Accepted/)
  }
  await enter(good)
  assert.equal(await page.locator('[aria-invalid]').count(), 0)
})

test('hostile text stays text', async () => {
  const hostile = ['<img src=x onerror="document.title=1">', '</script><script>document.title=2</script>', 'a\u202ecba\u2066', '\u0000\u001b[31m', '<b>', 'javascript:alert(1)']
  const { token, trust } = signed(Object.fromEntries(hostile.map((text) => [text, [text, { [text]: text }]])))
  await enter({ token, trust, holder: 'not-required', now: '1790000000' })
  assert.match(await verdict(), /^Accepted\./)
  for (const where of [await shown('What it proves'), await decoded()]) {
    for (const text of ['<img src=x onerror=\\"document.title=1\\">', '</script><script>', 'a\\u202ecba\\u2066', '\\u0000\\u001b[31m', '<b>'])
      assert.ok(where.includes(text), text)
    assert.doesNotMatch(where, /[\u202e\u2066\u0000\u001b]/)
  }
  assert.equal(await page.title(), 'Bandpass token inspector')
  assert.deepEqual(await page.evaluate(() => [...new Set([...document.querySelectorAll('main *')].map(({ localName }) => localName))].filter((name) => ['img', 'script', 'b', 'a', 'iframe', 'link', 'style'].includes(name))), [])

  // In places that are shown without a signature.
  await enter({ token: `${part({ alg: hostile[0], kid: hostile[2] })}.${part({ iss: hostile[1] })}.AAAA~${part([hostile[0], hostile[0], hostile[1]])}~` })
  assert.ok((await decoded()).includes(hostile[0]))
  assert.equal(await page.locator('img').count(), 0)
  await enter({ token: JSON.stringify({ [hostile[0]]: [hostile[1]] }) })
  assert.ok((await decoded()).includes(`Query ${hostile[0]}`))
  assert.equal(await page.locator('img').count(), 0)
})

const part = (json) => Buffer.from(JSON.stringify(json)).toString('base64url')

/** A credential without a proof, and a trust list for it. */
function signed(claims) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const input = `${part({ alg: 'ES256', typ: 'dc+sd-jwt' })}.${part({ ...claims, iss: 'https://issuer.example', vct: 'urn:example:member' })}`
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  const keys = [publicKey.export({ format: 'jwk' })]
  return {
    token: `${input}.${signature}~`,
    trust: JSON.stringify({ issuers: [{ iss: 'https://issuer.example', jwks: { keys }, vct: ['urn:example:member'] }] }),
  }
}

test('the keyboard alone does', async () => {
  await page.reload()
  await settled()
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim())
  const press = async (key) => {
    await page.keyboard.press(key)
    return focused()
  }
  assert.equal(await press('Tab'), 'Skip to the result')
  assert.equal(await press('Tab'), 'Example: a payment')
  await page.keyboard.press('Enter')
  await settled()
  assert.match(await verdict(), /^Accepted\./)
  assert.equal(await press('Tab'), 'Example: refused')
  await page.keyboard.press('Space')
  await settled()
  assert.match(await verdict(), /^Refused: transaction\.mismatch\./)
  assert.equal(await press('Tab'), 'Clear')
  await page.keyboard.press('Enter')
  await settled()
  assert.equal(await press('Tab'), 'token')
  await page.keyboard.insertText(vector('accept/payment').vp_token)
  await settled()
  const order = []
  for (let steps = 0; steps < 8; steps += 1) order.push((await press('Tab')).split(' ')[0])
  assert.deepEqual(order, ['trust', 'nonce', 'audience', 'now', 'use-now', 'transactionData', 'statusLists', 'Query,'])
  // What is folded opens and closes.
  const summary = page.locator('.block summary').first()
  await summary.focus()
  await page.keyboard.press('Enter')
  assert.equal(await page.locator('.block').first().getAttribute('open'), null)
  // Every field has a name, a place for mistakes, and can be reached.
  const fields = await page.locator('form input, form textarea, form select').all()
  assert.equal(fields.length, 24)
  for (const field of fields) {
    assert.equal(await field.evaluate((one) => one.labels.length), 1)
    assert.ok(await field.evaluate((one) => one.tabIndex >= 0 && document.getElementById(one.getAttribute('aria-describedby').split(' ')[0])))
  }
  await page.locator('.skip').focus()
  assert.equal(await press('Enter'), 'verdict')
})

test('it fits narrow screens, and nothing moves', async () => {
  for (const [name, shown] of [['accepted', 'accept/payment'], ['refused', 'transaction.mismatch/another-amount']]) {
    await enter(fields(vector(shown)))
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true }))
    for (const width of [320, 390, 800, 1280]) {
      await page.setViewportSize({ width, height: 800 })
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width)
    }
    await page.evaluate(() => document.querySelectorAll('form details').forEach((details) => { details.open = false }))
    await page.getByRole('button', { name: name === 'accepted' ? 'Example: a payment' : 'Example: refused' }).click()
    await settled()
    await picture(name)
    await picture(`${name}-dark`, { width: 1280, height: 1900 }, 'dark')
    await picture(`${name}-narrow`, { width: 390, height: 1400 })
  }
  await enter({ token: vector('accept/payment').vp_token, now: 'yesterday', maxAge: 'five' })
  await picture('mistakes')
  assert.equal(await page.evaluate(() => document.getAnimations().length), 0)
})

test('nothing can be sent, and nothing was', async () => {
  const policy = await page.locator('meta[http-equiv]').getAttribute('content')
  assert.match(policy, /^default-src 'none'; script-src 'sha256-[\w+/=]+' 'wasm-unsafe-eval'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'$/)
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length + document.cookie.length), 0)
  assert.deepEqual(troubles, [])
  assert.deepEqual([...new Set(requests)], [pathToFileURL(file).href])
  // Not for want of a network.
  await context.setOffline(false)
  const blocked = await page.evaluate(() => new Promise((resolve) => {
    document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective))
    fetch('http://127.0.0.1:9/').catch(() => {})
  }))
  assert.equal(blocked, 'connect-src')
})

test('it works from any server', async () => {
  const asked = []
  const server = createServer(async (request, response) => {
    asked.push(request.url)
    response.setHeader('content-type', 'text/html').end(await readFile(file))
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  try {
    await page.goto(`http://127.0.0.1:${server.address().port}/inspector.html`)
    await page.getByRole('button', { name: 'Example: a payment' }).click()
    await page.getByText('Accepted.').waitFor()
    assert.deepEqual(asked, ['/inspector.html'])
  } finally {
    server.close()
    server.closeAllConnections()
  }
})
