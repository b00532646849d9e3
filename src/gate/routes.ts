import type {
  Catalog,
  CatalogEndpoint,
  CatalogHost,
  CatalogProvider,
  Purpose,
  WireFormat,
} from '#words/catalog.ts'
import type { ProviderId } from '#words/ids.ts'

/** Where a request belongs: which provider, what the endpoint is for, how it is read. */
export type Route = {
  readonly provider: ProviderId | 'unknown'
  readonly purpose: Purpose
  readonly wire: WireFormat
  readonly webSocket: boolean
  /** Why the endpoint is unknown, and how to allow it. Absent when it is known. */
  readonly unknownBecause?: string
}

/** A request at the base-URL door: its route, and what is left of the target below the mount. */
export type MountedRoute = Route & { readonly target: string; readonly baseUrl: string }

export type Routes = {
  /** By the first path segment. Null: no such mount. */
  byMount(method: string, target: string, upgrade: boolean): MountedRoute | null
  /** By host at the TLS door. Null: the host is not in the catalog. */
  byHost(host: string, method: string, target: string, upgrade: boolean): Route | null
  /** The catalog's row for a host, if it is decrypted at all. */
  findHost(host: string): CatalogHost | null
  readonly mounts: readonly string[]
}

type CompiledEndpoint = { readonly row: CatalogEndpoint; readonly segments: readonly string[] }
type CompiledProvider = {
  readonly row: CatalogProvider
  readonly endpoints: readonly CompiledEndpoint[]
}

/**
 * Compiles the catalog's endpoints. An unknown path, method or upgrade is not an error here: it
 * gets the purpose `unknown`, and policy decides (block under `enforce`, counted under `observe`).
 *
 * Compares decoded path segments, so that `%6dessages` cannot pass as something else than
 * `messages`; a target with an encoded slash, a dot segment or a control character is unknown.
 */
export function compileRoutes(
  catalog: Catalog,
  options: {
    readonly sharedHostsOn: readonly string[]
    readonly baseUrls: Readonly<Record<string, string>>
  },
): Routes {
  const mounts = new Map<string, CompiledProvider>()
  const hosts = new Map<
    string,
    { readonly host: CatalogHost; readonly provider: CompiledProvider }
  >()
  for (const row of catalog.providers) {
    const endpoints = row.endpoints.map((endpoint) => ({
      row: endpoint,
      segments: endpoint.path.split('/').slice(1),
    }))
    const provider = { row, endpoints }
    mounts.set(row.mount, provider)
    for (const host of row.hosts) {
      if (host.shared === true && !options.sharedHostsOn.includes(host.host)) continue
      hosts.set(host.host, { host, provider })
    }
  }
  return {
    mounts: [...mounts.keys()],
    findHost: (host) => hosts.get(host)?.host ?? null,
    byMount(method, target, upgrade) {
      const slash = target.indexOf('/', 1)
      const mount = slash < 0 ? target.slice(1) : target.slice(1, slash)
      const provider = mounts.get(mount)
      if (provider === undefined) return null
      const rest = slash < 0 ? '/' : target.slice(slash)
      return {
        ...match(provider, 'inference', method, rest, upgrade),
        target: rest,
        baseUrl: options.baseUrls[provider.row.id] ?? provider.row.baseUrl,
      }
    },
    byHost(host, method, target, upgrade) {
      const found = hosts.get(host)
      if (found === undefined) return null
      return match(found.provider, found.host.role, method, target, upgrade)
    },
  }
}

function match(
  provider: CompiledProvider,
  role: CatalogHost['role'],
  method: string,
  target: string,
  upgrade: boolean,
): Route {
  const segments = pathSegments(target)
  if (segments !== null) {
    for (const endpoint of provider.endpoints) {
      if (!fits(endpoint.segments, segments)) continue
      if (endpoint.row.method !== method && endpoint.row.method !== '*') continue
      if (upgrade && endpoint.row.webSocket !== true) continue
      if (!upgrade && endpoint.row.webSocket === true) continue
      return {
        provider: provider.row.id,
        purpose: endpoint.row.purpose,
        wire: endpoint.row.wire,
        webSocket: endpoint.row.webSocket === true,
      }
    }
  }
  // A host that does something else than inference is not strict: its role is the purpose.
  if (role !== 'inference' && !upgrade) {
    return { provider: provider.row.id, purpose: role, wire: 'opaque', webSocket: false }
  }
  const path = target.split('?', 1)[0] ?? target
  const what = upgrade ? `an upgrade of ${method} ${path}` : `${method} ${path}`
  return {
    provider: provider.row.id,
    purpose: 'unknown',
    wire: sameWire(provider, target),
    webSocket: upgrade,
    unknownBecause: `the catalog of ${provider.row.name} does not know ${what.slice(0, 200)}; to allow it, add it to catalog/providers/${provider.row.id}.yaml with its purpose`,
  }
}

/** The wire in which to refuse what we do not know: that of the provider's inference endpoint. */
function sameWire(provider: CompiledProvider, target: string): WireFormat {
  const inference = provider.row.endpoints.filter((endpoint) => endpoint.purpose === 'inference')
  const near = inference.find((endpoint) => target.startsWith(endpoint.path))
  return (near ?? inference[0])?.wire ?? 'opaque'
}

function pathSegments(target: string): readonly string[] | null {
  const end = target.search(/[?#]/)
  const path = end < 0 ? target : target.slice(0, end)
  if (!path.startsWith('/')) return null
  const segments: string[] = []
  for (const raw of path.slice(1).split('/')) {
    let segment: string
    try {
      segment = decodeURIComponent(raw)
    } catch {
      return null
    }
    // Two servers may read these differently, so they never match a known endpoint.
    // eslint-disable-next-line no-control-regex
    if (segment === '.' || segment === '..' || /[/\\\u0000-\u001f]/.test(segment)) return null
    segments.push(segment)
  }
  return segments
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  for (let at = 0; at < pattern.length; at++) {
    const want = pattern[at]
    if (want === '*') return true
    const have = segments[at]
    if (have === undefined) return false
    if (want?.startsWith(':') === true ? have === '' : want !== have) return false
  }
  return pattern.length === segments.length
}
