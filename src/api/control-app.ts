import { OpenAPIHono, createRoute, z } from '@hono/zod-openapi'
import type { RegisterService } from '#register/service.ts'
import { answerRegister } from '#register/calls.ts'
import { Fault, isFault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { schemas } from './contract/control.ts'
import type { Log } from './log-port.ts'
import type { StatusView } from './status-view.ts'

export type ControlActions = {
  readonly register: RegisterService
  readonly status: () => Promise<StatusView>
  readonly statusLink: () => string
  readonly issueAuditorToken: (input: {
    readonly name: string
    readonly expiresMs: number
  }) => Promise<{
    readonly id: string
    readonly token: string
  }>
  /** Brings everything appended so far under a checkpoint and returns it. */
  readonly flush: () => Promise<{ readonly size: number; readonly checkpoint: string }>
  readonly store: () => Promise<{
    readonly state: string
    readonly lag: number
    readonly position: number
  }>
  readonly rebuildStore: () => Promise<{ readonly position: number }>
  readonly log: Log
}

const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})
const refused = json(schemas.error, 'Refused: a code, a sentence, and advice.')

export const routes = {
  register: createRoute({
    method: 'post',
    path: '/v1/register/{call}',
    summary: 'Ask the register: plan, apply, list, show, export, tokens, devices, revocations',
    request: {
      params: z.object({ call: z.string().regex(/^[a-z-]{1,40}$/) }),
      body: { content: { 'application/json': { schema: z.unknown() } } },
    },
    responses: { 200: json(z.unknown(), 'The answer of the call.'), default: refused },
  }),
  status: createRoute({
    method: 'get',
    path: '/v1/status',
    summary: 'What the status page shows',
    responses: { 200: json(schemas.status, 'State of gates, bundle, log and store.') },
  }),
  statusLink: createRoute({
    method: 'post',
    path: '/v1/status-links',
    summary: 'A link to the status page that works once',
    responses: { 200: json(schemas.link, 'The link.') },
  }),
  auditorToken: createRoute({
    method: 'post',
    path: '/v1/auditor-tokens',
    summary: 'A token that reads the log over HTTP; it is shown once',
    request: { body: { content: { 'application/json': { schema: schemas.auditorRequest } } } },
    responses: { 200: json(schemas.auditorToken, 'The token.'), default: refused },
  }),
  flush: createRoute({
    method: 'post',
    path: '/v1/log/flush',
    summary: 'Bring all entries so far under a signed checkpoint',
    responses: { 200: json(schemas.checkpoint, 'The checkpoint.'), default: refused },
  }),
  store: createRoute({
    method: 'get',
    path: '/v1/store',
    summary: 'How far the projections are',
    responses: { 200: json(schemas.store, 'State and lag.'), default: refused },
  }),
  rebuildStore: createRoute({
    method: 'post',
    path: '/v1/store/rebuild',
    summary: 'Drop the projections and replay the log',
    responses: { 200: json(schemas.rebuilt, 'How far the replay came.'), default: refused },
  }),
} as const

/**
 * The API of control. It asks for no credential of its own: it is served on a socket that only the
 * owner of the home can open (`socket.ts`), and nowhere else.
 */
export function createControlApp(actions: ControlActions): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (result.success) return
      throw new Fault('usage', { outward: result.error.issues[0]?.message ?? 'That does not fit.' })
    },
  })
  app.use(async (c, next) => {
    if (Number(c.req.header('content-length') ?? '0') > limits.apiBodyBytesMax) {
      throw new Fault('body-too-large', { outward: 'The request is too large.' })
    }
    await next()
  })
  app.openapi(routes.register, async (c) => {
    const { status, body } = await answerRegister(
      actions.register,
      c.req.valid('param').call,
      c.req.valid('json'),
    )
    return c.json(body as object, status as 200)
  })
  app.openapi(routes.status, async (c) => c.json((await actions.status()) as never, 200))
  app.openapi(routes.statusLink, (c) => c.json({ url: actions.statusLink() }, 200))
  app.openapi(routes.auditorToken, async (c) =>
    c.json(await actions.issueAuditorToken(c.req.valid('json')), 200),
  )
  app.openapi(routes.flush, async (c) => c.json(await actions.flush(), 200))
  app.openapi(routes.store, async (c) => c.json(await actions.store(), 200))
  app.openapi(routes.rebuildStore, async (c) => c.json(await actions.rebuildStore(), 200))
  app.notFound((c) => c.json({ error: errorOf(notFound()) }, 404))
  app.onError((error, c) => {
    actions.log.fault('api-request-failed', error, { route: c.req.path })
    if (!isFault(error)) {
      const outward = 'Control failed; see its log.'
      return c.json({ error: { code: 'bug', outward, advice: outward } }, 500)
    }
    const statuses: Record<string, number> = {
      'not-found': 404,
      'not-permitted': 403,
      'store-unavailable': 503,
      'spool-full': 503,
      'body-too-large': 413,
    }
    return c.json({ error: errorOf(error) }, (statuses[error.code] ?? 400) as 400)
  })
  return app
}

export function openApiDocument(app: OpenAPIHono): object {
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Postern control',
      version: '1',
      description:
        'Served on run/control.sock, which only the owner of the home can open. No other credential is asked for.',
    },
  })
}

function notFound(): Fault {
  return new Fault('not-found', { outward: 'The API has no such route.' })
}

function errorOf({ code, outward, advice }: Fault): {
  code: string
  outward: string
  advice: string
} {
  return { code, outward, advice }
}
