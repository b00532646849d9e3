import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import { Fault } from '#words/faults.ts'

/**
 * Which addresses a request may leave to.
 *
 * The attacker names a host (in a CONNECT, a Host header or his own DNS zone) that leads to us, to
 * our neighbours or to a cloud's metadata service. Default is no: IPv4 that the IANA
 * special-purpose registry (RFC 6890 and its updates) does not call global, all IPv6 but global
 * unicast, and every IPv6 form that carries such an IPv4 address inside.
 */
export function addressDanger(address: string): string | null {
  if (isIPv4(address)) return danger4(address)
  if (!isIPv6(address)) return 'is no address'
  const groups = expand(address)
  if (groups === null) return 'is no address'
  const mapped = embedded4(groups)
  if (mapped !== null) return danger4(mapped)
  for (const [list, words] of special6) if (list.check(address, 'ipv6')) return words
  return ((groups[0] as number) & 0xe000) === 0x2000 ? null : 'is not a global unicast address'
}

function danger4(address: string): string | null {
  for (const [list, words] of special4) if (list.check(address, 'ipv4')) return words
  return null
}

const special4 = lists('ipv4', [
  ['0.0.0.0/8', 'is unspecified'],
  ['127.0.0.0/8', 'is a loopback address'],
  ['10.0.0.0/8', 'is a private address'],
  ['172.16.0.0/12', 'is a private address'],
  ['192.168.0.0/16', 'is a private address'],
  ['169.254.0.0/16', 'is a link-local address, where clouds keep their metadata'],
  ['100.64.0.0/10', 'is a carrier’s shared address'],
  ['192.0.0.0/24', 'is reserved for protocols'],
  ['192.0.2.0/24', 'is reserved for documentation'],
  ['198.51.100.0/24', 'is reserved for documentation'],
  ['203.0.113.0/24', 'is reserved for documentation'],
  ['192.88.99.0/24', 'is a 6to4 relay'],
  ['198.18.0.0/15', 'is reserved for benchmarks'],
  ['224.0.0.0/4', 'is a multicast address'],
  ['240.0.0.0/4', 'is reserved'],
])

const special6 = lists('ipv6', [
  ['::/128', 'is unspecified'],
  ['::1/128', 'is a loopback address'],
  ['fe80::/10', 'is a link-local address'],
  ['fc00::/7', 'is a private address'],
  ['ff00::/8', 'is a multicast address'],
  ['2001::/23', 'is reserved for protocols'],
  ['2001:db8::/32', 'is reserved for documentation'],
  ['2002::/16', 'is a 6to4 address'],
  ['3fff::/20', 'is reserved for documentation'],
])

function lists(
  family: 'ipv4' | 'ipv6',
  rows: readonly (readonly [cidr: string, words: string])[],
): readonly (readonly [BlockList, string])[] {
  return rows.map(([cidr, words]) => {
    const [net = '', bits] = cidr.split('/')
    const list = new BlockList()
    list.addSubnet(net, Number(bits), family)
    return [list, words] as const
  })
}

/** IPv4 inside IPv6: mapped (RFC 4291 2.5.5), compatible, translated (RFC 6052) and SIIT. */
function embedded4(groups: readonly number[]): string | null {
  const front = groups.slice(0, 6).map((group) => group.toString(16))
  const lead = front.join(':')
  const last = ((groups[6] as number) << 16) | (groups[7] as number)
  const is =
    lead === '0:0:0:0:0:ffff' ||
    lead === '64:ff9b:0:0:0:0' ||
    lead === '0:0:0:0:ffff:0' ||
    (lead === '0:0:0:0:0:0' && last >>> 0 > 1)
  if (!is) return null
  return [24, 16, 8, 0].map((shift) => (last >>> shift) & 255).join('.')
}

function expand(address: string): readonly number[] | null {
  const plain = address.split('%')[0] as string
  const quad = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(plain)
  const text =
    quad === null
      ? plain
      : `${quad[1]}${((Number(quad[2]) << 8) | Number(quad[3])).toString(16)}:${((Number(quad[4]) << 8) | Number(quad[5])).toString(16)}`
  const [front = '', back] = text.split('::')
  const groups = front === '' ? [] : front.split(':')
  if (back !== undefined) {
    const tail = back === '' ? [] : back.split(':')
    while (groups.length + tail.length < 8) groups.push('0')
    groups.push(...tail)
  }
  return groups.length === 8 ? groups.map((group) => Number.parseInt(group, 16)) : null
}

/** The addresses that configuration lists although they are not public. */
export type Allowed = { has(name: string, address: string, port: number): boolean }

/** Reads `upstreamAddressesAllowed`: an address, `host:port`, `[::1]:port` or a CIDR. Anything else is a fault. */
export function readAllowed(entries: readonly string[]): Allowed {
  const places = new Set<string>()
  const ranges = new BlockList()
  for (const entry of entries) {
    const cidr = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(entry)
    const place = /^(?:\[([0-9a-f:.]+)\]|([^:/\s[\]]+)):(\d{1,5})$/i.exec(entry)
    if (cidr !== null && inRange(cidr[1] as string, Number(cidr[2]))) {
      const net = cidr[1] as string
      ranges.addSubnet(net, Number(cidr[2]), isIPv4(net) ? 'ipv4' : 'ipv6')
    } else if (isIP(entry) !== 0) {
      ranges.addAddress(entry, isIPv4(entry) ? 'ipv4' : 'ipv6')
    } else if (place !== null) {
      places.add(`${(place[1] ?? place[2] ?? '').toLowerCase()} ${Number(place[3])}`)
    } else {
      throw new Fault('config-invalid', {
        outward: `upstreamAddressesAllowed: ${JSON.stringify(entry)} is no address, host:port or range such as 10.1.0.0/16.`,
      })
    }
  }
  return {
    has: (name, address, port) =>
      places.has(`${name.toLowerCase()} ${port}`) ||
      places.has(`${address} ${port}`) ||
      ranges.check(address, isIPv4(address) ? 'ipv4' : 'ipv6'),
  }
}

function inRange(net: string, bits: number): boolean {
  return (isIPv4(net) && bits <= 32) || (isIPv6(net) && bits <= 128)
}
