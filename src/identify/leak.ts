import type { ProviderId, VendorId } from '#words/ids.ts'
import { Fault } from '#words/faults.ts'

export type Destination = {
  readonly provider: ProviderId | 'unknown'
  readonly vendor: VendorId | 'unknown'
}

/**
 * Marks by which a vendor's own credentials can be told, each with the vendors (or providers) that
 * may receive them. Sources: GitHub's secret scanning patterns (docs.github.com, supported secret
 * scanning patterns) and the vendors' own key formats; looked up in 2026.
 */
const marks: readonly (readonly [mark: string, owners: readonly string[]])[] = [
  ['sk-ant-', ['anthropic']],
  ['sk-proj-', ['openai']],
  ['sk-svcacct-', ['openai']],
  ['sk-admin-', ['openai']],
  ['sk-or-', ['openrouter']],
  ['AIza', ['google', 'gemini']],
  ['ya29.', ['google', 'gemini']],
  ['ghp_', ['github', 'github-copilot', 'microsoft']],
  ['gho_', ['github', 'github-copilot', 'microsoft']],
  ['ghu_', ['github', 'github-copilot', 'microsoft']],
  ['ghs_', ['github', 'github-copilot', 'microsoft']],
  ['ghr_', ['github', 'github-copilot', 'microsoft']],
  ['github_pat_', ['github', 'github-copilot', 'microsoft']],
  ['xai-', ['xai']],
  ['gsk_', ['groq']],
  ['pplx-', ['perplexity']],
  ['hf_', ['hugging-face']],
  ['glpat-', ['gitlab']],
  ['sgamp_', ['sourcegraph', 'amp']],
]

/** Issuers of signed access tokens (`iss`, RFC 7519), and who may receive them. */
const issuers: readonly (readonly [issuer: string, owners: readonly string[]])[] = [
  ['https://auth.openai.com', ['openai']],
  ['https://auth0.openai.com', ['openai']],
  ['https://accounts.google.com', ['google', 'gemini']],
]

const firstLetters = new Set([...marks.map(([mark]) => mark.charCodeAt(0)), 'e'.charCodeAt(0)])

/**
 * Would this request carry one provider's credential to another? Gives the fault
 * `credential-misdirected`, or null.
 *
 * The attacker is a configuration file in a repository that points a tool at another base URL, so
 * that the developer's key goes to whoever answers there. A key without a known mark cannot be
 * told apart and passes. The fault names the owner and the header, never the value.
 */
export function credentialLeak(rawHeaders: readonly string[], to: Destination): Fault | null {
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const value = credentialPart(rawHeaders[at + 1] as string)
    if (!firstLetters.has(value.charCodeAt(0))) continue
    const owners = ownersOf(value)
    if (owners === null || owners.includes(to.vendor) || owners.includes(to.provider)) continue
    const name = (rawHeaders[at] as string).toLowerCase()
    return new Fault('credential-misdirected', {
      outward: `The header ${name.slice(0, 64)} carries a credential of ${owners[0]}, and this request goes to ${to.provider}.`,
    })
  }
  return null
}

/** The value behind `Bearer` or `token`; the value itself where there is no scheme. */
function credentialPart(value: string): string {
  const first = value.charCodeAt(0) | 0x20
  if (first !== 0x62 && first !== 0x74 && first !== 0x20) return value
  const scheme = /^\s*(?:bearer|token)\s+/i.exec(value)
  return scheme === null ? value.trimStart() : value.slice(scheme[0].length)
}

function ownersOf(value: string): readonly string[] | null {
  for (const [mark, owners] of marks) if (value.startsWith(mark)) return owners
  // Keys of OpenAI's older form hold the base64 of "OpenAI" in their middle.
  if (value.startsWith('sk-') && value.includes('T3BlbkFJ', 3)) return ['openai']
  return value.startsWith('eyJ') ? ownersOfSigned(value) : null
}

function ownersOfSigned(token: string): readonly string[] | null {
  const payload = token.split('.', 2)[1]
  if (payload === undefined || payload.length > 16_384) return null
  // A search, no parser: what is not found here is a token of nobody we know.
  const text = Buffer.from(payload, 'base64url').toString('latin1')
  const issuer = /"iss"\s*:\s*"((?:[^"\\]|\\\/){1,200})"/.exec(text)?.[1]?.replaceAll('\\/', '/')
  if (issuer === undefined) return null
  return issuers.find(([name]) => issuer === name || issuer === `${name}/`)?.[1] ?? null
}
