/** What keeps the element from going on, with a stable code: one of the host's, or one of its own (`checkout.*`). */
export class CheckoutError extends Error {
  override name = 'CheckoutError'

  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** Something of the host's or shop's is not what it should be. It is never guessed at. */
export const malformed = (what: string) => new CheckoutError('checkout.malformed', what)
