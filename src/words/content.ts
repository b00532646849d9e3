/** Where in an exchange a piece of text stands. */
export type BlockKind =
  | 'system'
  | 'user-text'
  | 'assistant-text'
  | 'tool-definition'
  | 'tool-use'
  | 'tool-result'
  | 'document'
  | 'image'
  | 'thinking'
  | 'metadata'
  | 'unknown'

/** What inspection saw: never the value itself. */
export type Finding = {
  /** Class of the finding, e.g. `hidden-unicode`, later `secret`, `personal`, `code`, `marker`. */
  readonly class: string
  /** Rule within the class, e.g. `tag-characters`. */
  readonly rule: string
  readonly block: BlockKind
  /** JSON Pointer (RFC 6901) of the string, e.g. `/messages/3/content/0/text`. */
  readonly place: string
  /** Byte range in the readable body: [start, end). -1 when it stands in an answer. */
  readonly start: number
  readonly end: number
  readonly count: number
  readonly confidence: number
}

/** Which parts were inspected, which were not and why, with which rule set. */
export type Coverage = {
  readonly blocksSeen: number
  readonly blocksInspected: number
  readonly bytesSeen: number
  readonly bytesInspected: number
  /** Reason -> number of blocks: `image-bytes`, `encrypted-thinking`, `context-not-known`. */
  readonly skipped: Readonly<Record<string, number>>
  /** Blocks of a type that we do not know: inspected as text, and counted. */
  readonly unknownBlocks: number
  /** Bytes taken over from the conversation's previous body (already counted as inspected). */
  readonly bytesResumed: number
  readonly ruleSet: string
}

/** What is in a request. */
export type Content = {
  readonly findings: readonly Finding[]
  readonly coverage: Coverage
  /** Model as the client names it; empty where the wire has none. */
  readonly model: string
  readonly stream: boolean
  /** 32 hex digits: exchanges that grow from a common prefix share it. */
  readonly conversation: string
  /** First request of its conversation at this worker. */
  readonly firstTurn: boolean
  /** Structured output was asked for (JSON schema): a warning must not be spliced in. */
  readonly structured: boolean
  /** WebSocket warm-ups and title or quota calls: nobody reads the answer. */
  readonly background: boolean
  /** Two parsers could read the body differently; said for the coverage, refused under enforce. */
  readonly ambiguous: string | null
}

export const noContent: Content = {
  findings: [],
  coverage: {
    blocksSeen: 0,
    blocksInspected: 0,
    bytesSeen: 0,
    bytesInspected: 0,
    skipped: {},
    unknownBlocks: 0,
    bytesResumed: 0,
    ruleSet: 'none',
  },
  model: '',
  stream: false,
  conversation: '',
  firstTurn: true,
  structured: false,
  background: false,
  ambiguous: null,
}
