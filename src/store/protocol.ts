import type { Batch } from './tables.ts'

/** What the parent asks of the store's own process, and what it hears. */
export type StoreCall =
  | { readonly id: number; readonly do: 'apply'; readonly batch: Batch; readonly atMs: number }
  | { readonly id: number; readonly do: 'position' }
  | {
      readonly id: number
      readonly do: 'select'
      readonly name: string
      readonly sql: string
      readonly parameters: readonly unknown[]
      readonly rowsMax: number
    }

export type StoreAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string }
  | { readonly id: 0; readonly ok: true; readonly value: 'ready' }
