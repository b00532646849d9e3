import { z } from '@hono/zod-openapi'

/** Shapes of control's API, shared with the CLI. */
export const schemas = {
  error: z
    .object({ error: z.object({ code: z.string(), outward: z.string(), advice: z.string() }) })
    .openapi('Error'),
  status: z
    .object({
      nowMs: z.int(),
      origin: z.string(),
      gates: z.array(
        z.object({
          node: z.string(),
          connectedSinceMs: z.int().nullable(),
          lastHeardMs: z.int(),
          bundleCounter: z.int(),
          batches: z.int(),
        }),
      ),
      bundle: z.object({ counter: z.int(), issuedAtMs: z.int(), validUntilMs: z.int() }).nullable(),
      log: z
        .object({
          size: z.int(),
          root: z.string(),
          witnesses: z.array(z.string()),
          witnessesConfigured: z.int(),
        })
        .nullable(),
      complaint: z.string().nullable(),
      store: z.object({ state: z.string(), lag: z.int() }),
    })
    .openapi('Status'),
  link: z.object({ url: z.string() }).openapi('StatusLink'),
  auditorRequest: z
    .strictObject({ name: z.string().min(1).max(200), expiresMs: z.int().min(1).max(8.64e15) })
    .openapi('AuditorTokenRequest'),
  auditorToken: z.object({ id: z.string(), token: z.string() }).openapi('AuditorToken'),
  checkpoint: z.object({ size: z.int(), checkpoint: z.string() }).openapi('Checkpoint'),
  store: z.object({ state: z.string(), lag: z.int(), position: z.int() }).openapi('StoreState'),
  rebuilt: z.object({ position: z.int() }).openapi('Rebuilt'),
}
