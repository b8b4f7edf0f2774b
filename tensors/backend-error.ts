/** A backend that cannot run here, or no longer. The message says what is missing and how to get it. */
export class BackendError extends Error {
  override readonly name = 'BackendError'
}

/** What is answered where something was laid out for another backend than the one in use. */
export function otherBackend(what: string, present: string): BackendError {
  return new BackendError(
    `${what}: the weight was laid out on another backend than ${present}, which is in use now: load its model again there`,
  )
}
