// The cache that workerd asks for, in memory: GET finds, PUT brings an HTTP response, PURGE forgets.
const held = new Map()

export default {
  async fetch(request) {
    switch (request.method) {
      case 'PUT': {
        const [head, ...body] = (await request.text()).split('\r\n\r\n')
        const headers = head.split('\r\n').slice(1).map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()])
        held.set(request.url, { headers: headers.filter(([name]) => !/^(content-length|transfer-encoding)$/i.test(name)), body: body.join('\r\n\r\n') })
        return new Response(null, { status: 204 })
      }
      case 'PURGE':
        return new Response(null, { status: held.delete(request.url) ? 200 : 404 })
      default: {
        const found = held.get(request.url)
        if (!found) return new Response(null, { status: 504, headers: { 'cf-cache-status': 'MISS' } })
        return new Response(found.body, { headers: [...found.headers, ['cf-cache-status', 'HIT']] })
      }
    }
  },
}
