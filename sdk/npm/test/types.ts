/* What compiles, and what must not. Nothing of it runs. */
import { BandpassError, createChallenge, createVerifier, decodeTransactionData, inspect } from '@bandpass/verifier'
import type { Code, Expected, JsonObject, Verified, Verifier } from '@bandpass/verifier'
import type { Policy, PolicyOptions } from '@bandpass/verifier/policy'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <T extends true>(): T | undefined => undefined

const now = new Date()
const verifier: Verifier = await createVerifier({ trust: { issuers: [] }, statusLists: ['', new Uint8Array()], now })
await createVerifier({ trust: '{}', wasm: new URL('file:///verifier.wasm') })
// @ts-expect-error whom it trusts is no default
await createVerifier({})
// @ts-expect-error the time is a `Date`
await createVerifier({ trust: '{}', statusLists: [''], now: 1_800_000_000 })
// @ts-expect-error a misspelt member
await createVerifier({ trust: '{}', statusList: [''] })

const challenge = createChallenge({ audience: 'x509_san_dns:shop.example', dcql: { credentials: [] } })
const expected: Expected = { ...challenge, now }
const verified = verifier.verify('token', expected)
is<Equal<typeof verified, Verified<JsonObject>>>()
is<Equal<typeof verified.claims, JsonObject>>()
is<Equal<(typeof verified)['evidence'], Verified['evidence']>>()
const text: string | undefined = verified.subject
// @ts-expect-error evidence may not be there
verified.evidence.confirmed

interface Member {
  given_name: string
}
const member = verifier.verify<Member>({ band: ['token'] }, { ...expected, query: 'band' })
is<Equal<typeof member.claims, Member>>()
const all: Verified<Member>[] = verifier.verifyAll<Member>('token', expected)
const amount: string | undefined = member.transactions[0]?.payment?.amount

// @ts-expect-error a challenge without a time
verifier.verify('token', challenge)
// @ts-expect-error the time is a `Date`
verifier.verify('token', { ...challenge, now: Date.now() })
// @ts-expect-error a misspelt requirement
verifier.verify('token', { ...expected, require: { unlockedWithn: 60 } })
// @ts-expect-error a demand is made in words
verifier.verify('token', { ...expected, require: { worn: true } })
// @ts-expect-error a token is text, bytes, or an object of them
verifier.verify(7, expected)
// @ts-expect-error an audience and a binding
verifier.verify('token', { ...expected, binding: { type: 'dc-api', origin: 'a' } })
verifier.verify('token', { ...expected, require: { worn: 'required', claims: [['nationalities', null], ['a', 0]] } })

const outcomes: ('passed' | 'failed' | 'not-reached' | 'not-applicable')[] = verifier
  .explain('token', expected)
  .map((check) => check.outcome)
const next: number | undefined = verifier.updateStatus('list', now).ttl
// @ts-expect-error the time is an argument
verifier.updateStatus('list')

const inspection = await inspect('token')
is<Equal<typeof inspection.verified, false>>()
const type: string = decodeTransactionData('e30').type
// @ts-expect-error the type is needed
createChallenge({ audience: 'a', transactions: [{ credential_ids: ['band'] }] })

try {
  using held = await createVerifier({ trust: '{}' })
  held.free()
} catch (error) {
  if (error instanceof BandpassError) {
    is<Equal<typeof error.code, Code>>()
    if (error.code === 'holder.nonce' || error.code === 'verifier.trap') throw error
    // @ts-expect-error there is no such code
    if (error.code === 'holder.nounce') throw error
    const claim: string | undefined = error.claim
    // @ts-expect-error nobody changes it
    error.code = 'holder.nonce'
    console.log(claim)
  }
}
console.log(text, all, amount, outcomes, next, type)

/** As `bandpass-edge` declares it. */
declare function createPolicy(options: PolicyOptions): Policy
const policy = createPolicy({ trust: {}, settings: {}, log: (level, line) => console.log(level === 'warn', line) })
const visit = { merchant: 'm', now }
const decided = policy.decide({ band: ['token'] }, { ...policy.createChallenge({ ...visit, audience: 'a' }), ...visit })
if (decided.decision === 'step-up') policy.createChallenge({ ...visit, audience: 'a', require: decided.require })
if (decided.decision === 'allow') console.log(decided.obligations[0]?.parameters, decided.claims)
// @ts-expect-error only an allow has claims
console.log(decided.claims)
// @ts-expect-error requirements are the policy's
policy.decide('token', { ...challenge, ...visit, require: {} })
// @ts-expect-error whose policy it is
policy.decide('token', { ...challenge, now })
