/**
 * A gate worker in a process of its own for the fuzz: every real room but `decide`, in whose place
 * stands the most generous one possible (all that is readable in one way may pass), so that as much
 * as can leave does leave, and must be in the log.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { EntryDraft } from '#words/entry.ts'
import type { GroundPart, PrincipalsPart } from '#words/bundle.ts'
import type { Verdict } from '#words/verdict.ts'
import type { NodeId } from '#words/ids.ts'
import { realWorld } from '#words/clock.ts'
import { limits } from '#words/limits.ts'
import { createForwarder } from '#forward/forwarder.ts'
import { InFlight } from '#gate/in-flight.ts'
import { OpenExchanges } from '#gate/open-streams.ts'
import type { Rooms } from '#gate/rooms.ts'
import { compileRoutes } from '#gate/routes.ts'
import { startWorker } from '#gate/worker.ts'
import { createIdentifier } from '#identify/identifier.ts'
import { createStrangers } from '#identify/strangers.ts'
import { createInspector } from '#inspect/inspector.ts'
import { openRecorder } from '#record/recorder.ts'
import { loadCatalog } from '#register/catalog-files.ts'

export type FuzzGateData = {
  readonly spoolDir: string
  readonly origin: string
  readonly node: string
  readonly nodeKeyPem: string
  readonly sealToPem: string
  readonly provider: string
  readonly principals: PrincipalsPart
}

export type FuzzGateReport = {
  readonly kind: 'report'
  readonly rssBytes: number
  /** Bugs that were caught at the top of the road: each is a defect. */
  readonly broken: readonly string[]
  readonly strangers: number
}

process.once('message', (data: FuzzGateData) => void run(data))

async function run(data: FuzzGateData): Promise<void> {
  const world = realWorld
  const catalog = loadCatalog('catalog')
  const ground = { catalog, sites: [], classifications: {} } as unknown as GroundPart
  const identifier = createIdentifier({
    world,
    bundle: {
      ground,
      principals: data.principals,
      revocations: { tokens: [], devices: [], launches: [], users: [] },
      origin: data.origin,
    },
  })
  const routes = compileRoutes(catalog, {
    sharedHostsOn: [],
    baseUrls: { anthropic: data.provider, openai: data.provider },
  })
  const inspector = createInspector({ world })
  const forwarder = createForwarder({ world, upstreamAddressesAllowed: ['127.0.0.1'] })
  const counted = createStrangers({ world })
  const open = new OpenExchanges()
  const broken: string[] = []
  let strangers = 0
  const recorder = await openRecorder({
    world,
    dir: data.spoolDir,
    node: data.node as NodeId,
    signingKey: createPrivateKey(data.nodeKeyPem),
    sealTo: createPublicKey(data.sealToPem),
    pseudonymKey: world.randomBytes(32),
    origin: data.origin,
  })
  const rooms: Rooms = {
    world,
    policyNowMs: () => world.nowMs(),
    identify: (arrival) =>
      identifier.identify({
        rawHeaders: arrival.rawHeaders,
        peer: arrival.peer,
        provider: arrival.route.provider,
        nowMs: world.nowMs(),
      }),
    identifyTunnel: (proxyCredential, peer) =>
      identifier.identifyTunnel({ rawHeaders: [], peer, nowMs: world.nowMs(), proxyCredential }),
    inspect: (exchange, callerKey) => inspector.inspect(exchange, callerKey),
    readAnswer: (exchange, content, head) => inspector.readAnswer(exchange, content, head),
    decide: (exchange, _caller, content) =>
      verdictOf(exchange.unknownBecause === undefined && content.ambiguous === null),
    connection: () => ({ kind: 'refuse', words: 'not in this test' }),
    record: recorder,
    forward: forwarder,
    routes: () => routes,
    inFlight: new InFlight({
      bytesMax: limits.bytesInFlightMax,
      waitMs: limits.busyWaitMsMax,
      waitersMax: limits.busyWaitersMax,
    }),
    open,
    strangers: {
      saw(peer, code) {
        strangers += 1
        counted.saw(peer, code)
      },
      drain: (): EntryDraft[] => counted.drain(),
    },
    defaultProfile: () => 'enforce',
    requestBodyBytesMax: limits.requestBodyBytesMax,
    originOf: () => new URL(data.provider),
    log(level, event, fields) {
      if (level === 'error' && broken.length < 100) {
        broken.push(`${event} ${JSON.stringify(fields)}`)
      }
    },
  }
  const worker = await startWorker(rooms, open, {
    host: '127.0.0.1',
    baseUrlPort: 0,
    reusePort: false,
    openTlsDoor: null,
    reconsider: () => ({ kind: 'go-on', afterMs: 0 }),
  })
  process.on('message', (message) => {
    if (message === 'report') {
      const report: FuzzGateReport = {
        kind: 'report',
        rssBytes: process.memoryUsage.rss(),
        broken,
        strangers,
      }
      process.send?.(report)
    }
    if (message === 'close') {
      void (async () => {
        await worker.close(1_000)
        await forwarder.close()
        await recorder.close()
        process.exit(0)
      })()
    }
  })
  process.send?.({ kind: 'ready', port: worker.addresses.baseUrlPort })
}

function verdictOf(passes: boolean): Verdict {
  return {
    kind: passes ? 'allow' : 'block',
    wouldBe: passes ? 'allow' : 'block',
    profile: 'enforce',
    status: passes ? 'approved' : 'unknown',
    because: [],
    instead: [],
    policies: [],
    decision: null,
    effectiveMs: null,
    timeZone: 'UTC',
    message: passes ? '' : 'Postern: refused in this test.',
    toPass: [],
    openStreams: { kind: 'finish' },
    bundle: { counter: 1, digest: '0'.repeat(64), ageMs: 0 },
    timeSource: 'clock',
  }
}
