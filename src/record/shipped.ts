import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, writeDurably } from '#blob/durable.ts'
import { Fault } from '#words/faults.ts'

/** What a gate has verified of the log, kept with its spool so that a restart forgets nothing. */
export type Shipped = {
  readonly v: 1
  /** Every entry up to here is in the log, as far as this gate could check. */
  readonly proven: number
  readonly size: number
  /** Base64 root of the tree of `size`. */
  readonly root: string
}

const fileName = 'shipped.json'
const nothing: Shipped = { v: 1, proven: 0, size: 0, root: '' }

export async function readShipped(spoolDir: string): Promise<Shipped> {
  try {
    const { v, proven, size, root } = JSON.parse(
      await readFile(join(spoolDir, fileName), 'utf8'),
    ) as Shipped
    if (v !== 1 || !Number.isSafeInteger(proven) || !Number.isSafeInteger(size)) throw unreadable()
    return { v, proven, size, root }
  } catch (error) {
    if (isMissing(error)) return nothing
    throw error instanceof Fault ? error : unreadable(error)
  }
}

export async function writeShipped(spoolDir: string, shipped: Shipped): Promise<void> {
  await writeDurably(join(spoolDir, fileName), JSON.stringify(shipped))
}

function unreadable(cause?: unknown): Fault {
  return new Fault('spool-damaged', { outward: `${fileName} of the spool is not readable.`, cause })
}
