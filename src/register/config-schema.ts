import { isIP } from 'node:net'
import { z } from 'zod'
import { limits } from '#words/limits.ts'
import { hostSchema, idSchema } from './catalog-schema.ts'

const portSchema = z.int().min(0).max(65_535)

const addressSchema = z
  .string()
  .refine(isAddress, 'write an IP address, with a prefix length if it is a network: `10.1.2.0/24`')

const urlSchema = z.url({
  protocol: /^https?$/,
  error: 'write an address such as `http://127.0.0.1:8080`',
})

/** The bounds that a house may set for itself; the others are in `words/limits.ts`. */
const limitShape = {
  bytesInFlightMax: z
    .int()
    .min(1024 * 1024)
    .default(limits.bytesInFlightMax),
  requestBodyBytesMax: z
    .int()
    .min(64 * 1024)
    .default(limits.requestBodyBytesMax),
}

/** `postern.yaml`: everything has a default, so an empty file, or none, is a valid one. */
export const configSchema = z.strictObject({
  /** Unique in the fleet; stands in every entry of this gate's spools. */
  gateName: z
    .string()
    .regex(
      /^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?$/,
      'write it in small letters, digits and hyphens',
    )
    .exactOptional(),
  listen: z
    .strictObject({
      host: z
        .string()
        .refine((host) => isIP(host) !== 0, 'write the IP address to listen on')
        .default('127.0.0.1'),
      baseUrlPort: portSchema.default(7710),
      tlsPort: portSchema.default(7711),
    })
    .prefault({}),
  workers: z.int().min(1).max(64).default(2),
  control: z
    .strictObject({
      host: z
        .string()
        .refine((host) => isIP(host) !== 0, 'write the IP address to listen on')
        .default('127.0.0.1'),
      port: portSchema.default(7712),
    })
    .prefault({}),
  /** Sends a provider's traffic of the base-URL door elsewhere: the sample provider, a relay. */
  providerBaseUrls: z.record(idSchema, urlSchema).default({}),
  /** Private, loopback or link-local addresses that may be connected to; by default none. */
  upstreamAddressesAllowed: z.array(addressSchema).max(1_000).default([]),
  /** PEM file with further roots for providers inside the house; relative to the home. */
  upstreamCaFile: z.string().min(1).max(4_096).exactOptional(),
  /** Hosts that no catalog row names: tunnelled undecrypted, or refused. */
  otherHosts: z.enum(['tunnel', 'refuse']).default('tunnel'),
  /** Hosts marked `shared` in the catalog that are decrypted all the same. */
  sharedHostsOn: z.array(hostSchema).max(100).default([]),
  /** Where no decision names one. */
  defaultProfile: z.enum(['observe', 'warn', 'enforce']).default('enforce'),
  /** Further catalog, policy and register folders; relative to the home. */
  catalogDir: z.string().min(1).max(4_096).exactOptional(),
  policiesDir: z.string().min(1).max(4_096).exactOptional(),
  registerDir: z.string().min(1).max(4_096).exactOptional(),
  bundle: z
    .strictObject({
      /** How long gates go on with a bundle when control is away. */
      validHours: z
        .number()
        .min(0.01)
        .max(24 * 90)
        .default(72),
    })
    .prefault({}),
  logs: z
    .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') })
    .prefault({}),
  witnesses: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(253),
        url: urlSchema,
        /** Note verifier key, `name+hash+base64` (C2SP signed-note). */
        key: z.string().min(10).max(300),
      }),
    )
    .max(32)
    .default([]),
  limits: z.strictObject(limitShape).prefault({}),
})

function isAddress(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  if (prefix === undefined) return true
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128)
}
