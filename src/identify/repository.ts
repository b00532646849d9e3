import { limits } from '#words/limits.ts'
import { BoundedMap } from './bounded-map.ts'

/**
 * The repository by its one name: `github.com/acme/app`.
 *
 * Gives `unknown` for anything that is no remote's address. What git remotes carry beside the name
 * (user names and access tokens in `https://user:token@host/…`) is cut off before it is compared,
 * recorded or shown.
 */
export function repositoryName(said: string): string {
  const text = said.trim()
  if (text === '' || text.length > limits.repositoryBytesMax) return 'unknown'
  // git@host:path, the scp-like form of git-clone(1)
  const scp = /^(?:[^@/:\s]+@)?([A-Za-z0-9.-]+):(?!\/\/)(?!\d+\/)(.+)$/.exec(text)
  const url = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^@/\s]*@)?([A-Za-z0-9.-]+)(?::\d+)?\/(.+)$/i.exec(
    text,
  )
  const found = scp ?? url
  if (found === null) return 'unknown'
  const host = (found[1] as string).toLowerCase()
  const path = (found[2] as string).replace(/[?#].*$/, '').replace(/\/+$/, '')
  const plain = path.replace(/\.git$/, '').replace(/^\/+/, '')
  if (!host.includes('.') && host !== 'localhost') return 'unknown'
  return /^[\w.~/-]+$/.test(plain) && !plain.includes('..') ? `${host}/${plain}` : 'unknown'
}

/** Classification by exact name, else by the longest `github.com/acme/*`; else `unknown`. */
export function classifier(
  classifications: Readonly<Record<string, string>>,
): (repository: string) => string {
  const exact = new Map<string, string>()
  const prefixes: { readonly prefix: string; readonly classification: string }[] = []
  for (const [said, classification] of Object.entries(classifications)) {
    if (said.endsWith('/*')) prefixes.push({ prefix: said.slice(0, -1), classification })
    else {
      exact.set(said, classification)
      const name = repositoryName(said)
      if (name !== 'unknown') exact.set(name, classification)
    }
  }
  prefixes.sort((one, other) => other.prefix.length - one.prefix.length)
  return (repository) =>
    exact.get(repository) ??
    prefixes.find(({ prefix }) => repository.startsWith(prefix))?.classification ??
    'unknown'
}

/**
 * The repository that a request names itself: `x-postern-repository`, or the one remote in Codex's
 * `x-codex-turn-metadata` (openai/codex, codex-rs, turn metadata: `workspaces` by path, each with
 * `associated_remote_urls`). More than one repository is `unknown`: a claim that can be read two
 * ways must not pick the looser.
 */
export function repositoryReader(): (rawHeaders: readonly string[]) => string {
  const ofMetadata = new BoundedMap<string, string>(limits.userAgentsCachedMax)
  return (rawHeaders) => {
    let metadata = ''
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] as string
      if (name.length === 20 && name.toLowerCase() === 'x-postern-repository') {
        return repositoryName(rawHeaders[at + 1] as string)
      }
      if (name.length === 21 && name.toLowerCase() === 'x-codex-turn-metadata') {
        metadata = rawHeaders[at + 1] as string
      }
    }
    if (metadata === '' || metadata.length > metadataBytesMax) return 'unknown'
    // The turn's own numbers change with each turn; the workspaces are what is remembered.
    const start = metadata.indexOf('"workspaces"')
    if (start < 0) return 'unknown'
    const held = ofMetadata.get(metadata)
    if (held !== undefined) return held
    const repository = ofTurn(metadata)
    ofMetadata.set(metadata, repository)
    return repository
  }
}

const metadataBytesMax = 8 * 1024

function ofTurn(metadata: string): string {
  let turn: unknown
  try {
    turn = JSON.parse(metadata)
  } catch {
    return 'unknown'
  }
  const names = new Set<string>()
  for (const workspace of Object.values(objectAt(turn, 'workspaces'))) {
    const remotes = objectAt(workspace, 'associated_remote_urls')
    const origin = remotes['origin'] ?? Object.values(remotes)[0]
    if (typeof origin === 'string') names.add(repositoryName(origin))
  }
  const [only] = names
  return names.size === 1 && only !== undefined ? only : 'unknown'
}

function objectAt(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return {}
  const member = (value as Record<string, unknown>)[name]
  return typeof member === 'object' && member !== null ? (member as Record<string, unknown>) : {}
}
