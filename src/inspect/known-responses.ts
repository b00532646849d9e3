import { limits } from '#words/limits.ts'

/**
 * Answers that passed here, by the id which a later request may continue from. An id that we did
 * not see come by stands for context that we did not inspect.
 */
export class KnownResponses {
  readonly #conversations = new Map<string, string>()

  /** The conversation of an answer that was given to the same caller. */
  find(callerKey: string, id: string): string | null {
    return this.#conversations.get(`${callerKey}\n${id}`) ?? null
  }

  add(callerKey: string, id: string, conversation: string): void {
    const key = `${callerKey}\n${id}`
    this.#conversations.delete(key)
    this.#conversations.set(key, conversation)
    if (this.#conversations.size <= limits.retainedConversationsMax) return
    this.#conversations.delete(this.#conversations.keys().next().value as string)
  }
}
