import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server as HttpServer } from 'node:http'
import { rmSync } from 'node:fs'
import type { AddressInfo, Server } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { sealBundle } from '#decide/bundle.ts'
import { createLogReader } from '#evidence/log-reader.ts'
import { createProjector } from '#evidence/projector.ts'
import { decodeBatch } from '#record/batch.ts'
import { parseVerifierKey } from '#record/note.ts'
import { createSequencer } from '#record/sequencer.ts'
import { createWitnesses } from '#record/witness-client.ts'
import { loadConfig } from '#register/config-file.ts'
import type { Config } from '#register/config-file.ts'
import { openRegister } from '#register/open.ts'
import { takeLock } from '#store/lock.ts'
import { createStore } from '#store/store.ts'
import type { World } from '#words/clock.ts'
import type { EntryDraft } from '#words/entry.ts'
import { isFault } from '#words/faults.ts'
import { openAuditors } from './auditors.ts'
import { collectStatus } from './collect-status.ts'
import { createControlApp } from './control-app.ts'
import { privateDirectory, writeDurably } from './durable-file.ts'
import { openEnrolled } from './enrolled.ts'
import { createGateChannel } from './gate-channel.ts'
import { homePaths, readRoot } from './home.ts'
import { controlNode, openControlKeys } from './key-files.ts'
import { highestLoggedCounter, noteFirstKeys } from './log-questions.ts'
import { noLog } from './log-port.ts'
import type { Log } from './log-port.ts'
import { serveLogFiles } from './log-files.ts'
import { createProjecting } from './projecting.ts'
import { createPublisher } from './publisher.ts'
import { listenOwnerOnly } from './socket.ts'
import { createStatusServer } from './status-server.ts'
import { createStatusSessions } from './status-sessions.ts'

export type Control = {
  readonly addresses: {
    readonly controlSocket: string
    readonly gateSocket: string
    /** Opens the status page once. */
    readonly statusUrl: string
    readonly statusPort: number
  }
  close(): Promise<void>
}

/**
 * Starts the control plane of a home: sequencer, register, bundle, status page.
 *
 * Throws `already-running` when another process has the home, `key-missing` before the first
 * `makeHome`. It needs no store: projections start later, and what fails there fails alone. With
 * an empty register it runs too, without a bundle, so that `register apply` has somebody to ask.
 */
export async function startControl(input: {
  readonly home: string
  readonly world: World
  readonly config?: Config
  readonly log?: Log
}): Promise<Control> {
  const { home, world } = input
  const log = input.log ?? noLog
  const config = input.config ?? loadConfig(home)
  const paths = homePaths(home)
  const root = readRoot(home)
  const keys = openControlKeys(paths.keys)
  await using stack = new AsyncDisposableStack()
  privateDirectory(paths.run)
  stack.use(takeLock(paths.controlLock))

  const enrolled = openEnrolled(paths.nodes, world)
  const sequencer = await createSequencer({
    world,
    dir: paths.log,
    blobDir: paths.blob,
    spoolDir: paths.controlSpool,
    origin: root.origin,
    logKey: keys.log.privateKey,
    controlKey: keys.sealing.privateKey,
    node: { id: controlNode, signingKey: keys.node.privateKey },
    pseudonymKey: keys.pseudonym.secret,
    atRestKey: keys.atRest.secret,
    nodes: (node) => enrolled.find(node),
    witnesses: createWitnesses(
      config.witnesses.map(({ url, key }) => ({ url, key: parseVerifierKey(key) })),
      (witness) => log.warn('witness-refused', { node: witness }),
    ),
    onAlarm: (fault) => log.fault('log-alarm', fault),
  })
  stack.defer(() => sequencer.close())
  /** Durable in the log, under a checkpoint, when it resolves. */
  const append = async (draft: EntryDraft): Promise<void> => {
    await sequencer.append(draft)
    await sequencer.flush()
  }
  if (sequencer.size() === 0) await noteFirstKeys(root, keys, world, append)

  const reader = createLogReader(paths.log)
  const register = stack.use(
    await openRegister({ home, world, root, note: append, onChange: () => publisher.refresh() }),
  )
  const publisher = await createPublisher({
    world,
    origin: root.origin,
    bundleFile: paths.bundle,
    counterFile: paths.bundleCounter,
    validMs: config.bundle.validHours * 3_600_000,
    key: keys.bundle,
    compile: () => register.service.compile(),
    seal: sealBundle,
    append,
    highestLogged: () => highestLoggedCounter(reader),
    log,
  })
  stack.defer(() => publisher.close())
  await publisher.refresh().catch((error: unknown) => {
    if (!isFault(error, 'register-invalid')) throw error
    log.info('register-empty')
  })

  const channel = createGateChannel({
    world,
    origin: root.origin,
    key: keys.bundle,
    publisher,
    accept: async (_node, batch) =>
      Buffer.from(JSON.stringify(await sequencer.accept(decodeBatch(batch)))),
    enrol: (enrolment) => enrolled.enrol(enrolment, append),
    log,
  })
  const store = createStore({
    dir: paths.store,
    nowMs: () => world.nowMs(),
    onEvent: (event, fields) => log.info(event, fields),
  })
  stack.defer(() => store.close())
  const projector = createProjector({
    reader,
    store,
    nowMs: () => world.nowMs(),
    onRefused: (index) => log.warn('entry-not-projected', { count: index }),
  })
  const projecting = createProjecting({ projector, store, size: () => sequencer.size(), log })
  stack.defer(() => projecting.close())

  const auditors = openAuditors(paths.auditors, world, append)
  const sessions = createStatusSessions(world)
  const status = () => {
    projecting.wake()
    return collectStatus({
      nowMs: world.nowMs(),
      origin: root.origin,
      channel,
      publisher,
      reader,
      store,
      projector,
      register: register.service,
      witnessesConfigured: config.witnesses.length,
    })
  }
  const page: HttpServer = createStatusServer({
    sessions,
    view: status,
    ready: () =>
      publisher.current() === null
        ? { ok: false, words: 'no bundle yet' }
        : { ok: true, words: 'ready' },
    mayReadLog: (bearer) => auditors.mayRead(bearer),
    serveLog: serveLogFiles(paths.log),
    hosts: () => hostsOf(page, config.control.host),
    log,
  })
  page.listen(config.control.port, config.control.host)
  await once(page, 'listening')
  stack.defer(() => closeServer(page))
  const statusPort = (page.address() as AddressInfo).port
  const statusUrl = (): string =>
    `http://${bracketed(config.control.host)}:${statusPort}/open?token=${sessions.makeToken()}`

  const app = createControlApp({
    register: register.service,
    status,
    statusLink: statusUrl,
    issueAuditorToken: (request) => auditors.issue(request),
    async flush() {
      await sequencer.flush()
      return { size: sequencer.size(), checkpoint: sequencer.checkpoint() }
    },
    store: () => projecting.state(),
    rebuildStore: () => projecting.rebuild(),
    log,
  })
  const listener = getRequestListener(app.fetch)
  const api = createServer((request, response) => {
    listener(request, response).catch((error: unknown) => {
      log.fault('api-request-failed', error)
      response.destroy()
    })
  })
  await listenOwnerOnly(api, paths.controlSocket)
  stack.defer(() => closeSocket(api, paths.controlSocket))
  await listenOwnerOnly(channel.server, paths.gateSocket)
  stack.defer(() => closeSocket(channel.server, paths.gateSocket))
  writeDurably(paths.addresses, `${JSON.stringify({ statusPort, pid: process.pid })}\n`)
  log.info('control-ready', { port: statusPort, size: sequencer.size() })

  const open = stack.move()
  return {
    addresses: {
      controlSocket: paths.controlSocket,
      gateSocket: paths.gateSocket,
      statusUrl: statusUrl(),
      statusPort,
    },
    close: () => open.disposeAsync(),
  }
}

function hostsOf(server: Server, host: string): string[] {
  const port = (server.address() as AddressInfo | null)?.port ?? 0
  return [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, `${bracketed(host)}:${port}`]
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

async function closeServer(server: HttpServer): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}

async function closeSocket(server: HttpServer, path: string): Promise<void> {
  await closeServer(server)
  rmSync(path, { force: true })
}
