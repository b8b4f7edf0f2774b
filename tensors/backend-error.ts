/** A backend that cannot run here, or no longer. The message says what is missing and how to get it. */
export class BackendError extends Error {
  override readonly name = 'BackendError'
}
