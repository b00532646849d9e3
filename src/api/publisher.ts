import { existsSync, readFileSync } from 'node:fs'
import type { KeyObject } from 'node:crypto'
import type { BundleParts, SealedBundle } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import type { EntryDraft } from '#words/entry.ts'
import { Fault } from '#words/faults.ts'
import type { Log } from './log-port.ts'
import { writeDurably } from './durable-file.ts'

export type Publisher = {
  /** The bundle that gates should have; null until the first one is published. */
  current(): SealedBundle | null
  /**
   * Compiles, seals, logs, stores and pushes, in that order; does nothing when no part changed
   * and the bundle is not yet at half of its life. Calls wait for each other.
   */
  refresh(): Promise<SealedBundle>
  /** Called with every bundle from now on; returns how to stop. */
  subscribe(listener: (bundle: SealedBundle) => void): () => void
  close(): void
}

/**
 * Turns the register into what gates enforce.
 *
 * When a step fails, the bundle before it stays in force and the counter is used up: a counter is
 * made durable before anything is signed under it, so no two bundles can ever carry the same one.
 * Gates see a bundle only after the log holds it.
 */
export async function createPublisher(input: {
  readonly world: World
  readonly origin: string
  readonly bundleFile: string
  readonly counterFile: string
  readonly validMs: number
  readonly key: { readonly keyId: string; readonly privateKey: KeyObject }
  readonly compile: () => Promise<BundleParts> | BundleParts
  readonly seal: (
    what: {
      readonly origin: string
      readonly counter: number
      readonly issuedAtMs: number
      readonly validUntilMs: number
      readonly parts: BundleParts
    },
    key: { readonly keyId: string; readonly privateKey: KeyObject },
  ) => SealedBundle
  readonly append: (draft: EntryDraft) => Promise<unknown>
  /** Highest counter that the log holds; asked only when the counter file is lost. */
  readonly highestLogged: () => Promise<number>
  readonly log: Log
}): Promise<Publisher> {
  const { world, log } = input
  const listeners = new Set<(bundle: SealedBundle) => void>()
  let current = readBundle(input.bundleFile)
  let counter = await highestCounter(input, current)
  let queue: Promise<unknown> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  const half = (bundle: SealedBundle): number =>
    (bundle.manifest.issuedAtMs + bundle.manifest.validUntilMs) / 2

  async function publish(): Promise<SealedBundle> {
    const parts = await input.compile()
    const issuedAtMs = world.nowMs()
    const next = counter + 1
    const sealed = input.seal(
      {
        origin: input.origin,
        counter: next,
        issuedAtMs,
        validUntilMs: issuedAtMs + input.validMs,
        parts,
      },
      input.key,
    )
    // A clock behind the last bundle's says nothing of its age, so it is issued again.
    if (
      current !== null &&
      sameParts(current, sealed) &&
      issuedAtMs < half(current) &&
      issuedAtMs >= current.manifest.issuedAtMs - 5_000
    ) {
      return current
    }
    writeDurably(input.counterFile, `${JSON.stringify({ highest: next })}\n`)
    counter = next
    await input.append({
      kind: 'bundle',
      atMs: issuedAtMs,
      subject: null,
      public: {
        counter: next,
        issuedAtMs,
        validUntilMs: sealed.manifest.validUntilMs,
        parts: sealed.manifest.parts,
        keyId: sealed.keyId,
        signature: sealed.signature,
      },
      private: {},
    })
    writeDurably(input.bundleFile, `${JSON.stringify(sealed)}\n`, 0o600)
    current = sealed
    log.info('bundle-published', { counter: next })
    for (const listener of listeners) listener(sealed)
    return sealed
  }

  function plan(): void {
    clearTimeout(timer)
    if (closed || current === null) return
    const wait = Math.min(Math.max(half(current) - world.nowMs(), 1_000), 3_600_000)
    timer = setTimeout(() => {
      refresh().catch((error: unknown) => {
        log.fault('bundle-not-reissued', error)
        plan()
      })
    }, wait).unref()
  }

  async function refresh(): Promise<SealedBundle> {
    const turn = queue.then(publish, publish)
    queue = turn.catch(() => undefined)
    const bundle = await turn
    plan()
    return bundle
  }

  plan()
  return {
    current: () => current,
    refresh,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {
      closed = true
      clearTimeout(timer)
      listeners.clear()
    },
  }
}

function sameParts(a: SealedBundle, b: SealedBundle): boolean {
  const names = Object.keys(b.manifest.parts) as (keyof BundleParts)[]
  return (
    a.manifest.origin === b.manifest.origin &&
    a.keyId === b.keyId &&
    names.every((name) => a.manifest.parts[name] === b.manifest.parts[name])
  )
}

/** A damaged file is a fault and not "none": the counter must not start again at one. */
function readBundle(path: string): SealedBundle | null {
  if (!existsSync(path)) return null
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as SealedBundle
  } catch (cause) {
    throw new Fault('bundle-invalid', { outward: `${path} is damaged.`, cause })
  }
}

async function highestCounter(
  input: { readonly counterFile: string; readonly highestLogged: () => Promise<number> },
  current: SealedBundle | null,
): Promise<number> {
  const published = current?.manifest.counter ?? 0
  if (!existsSync(input.counterFile)) return Math.max(published, await input.highestLogged())
  const { highest } = JSON.parse(readFileSync(input.counterFile, 'utf8')) as { highest: unknown }
  if (!Number.isSafeInteger(highest)) {
    throw new Fault('bundle-invalid', { outward: `${input.counterFile} is damaged.` })
  }
  return Math.max(published, highest as number)
}
