// The same without a store: nothing is remembered, so an answer can be given twice within its two minutes. All that comes of
// an allow is therefore something that can be done twice without harm: the order of this `transaction_id` counts as paid.
import { checkout } from './checkout.js'

export default { fetch: (request, env, ctx) => checkout(request, env, ctx) }
