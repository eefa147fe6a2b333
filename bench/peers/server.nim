## A line server over Nim's asyncnet, as its documentation has it: `server MODE PORT`, on one thread.

import std/[asyncdispatch, asyncnet, nativesockets, os, strutils]

var members: seq[AsyncSocket]

proc count(client: AsyncSocket) {.async.} =
  var lines = 0
  while (await client.recvLine()).len > 0:
    inc lines
  await client.send($lines & "\r\n")
  client.close()

proc echo(client: AsyncSocket) {.async.} =
  while true:
    let line = await client.recvLine()
    if line.len == 0: break
    await client.send(line & "\r\n")
  client.close()

proc chat(client: AsyncSocket) {.async.} =
  members.add client
  while true:
    let line = await client.recvLine()
    if line.len == 0: break
    # Not `for member in members`: it dies of a client that joins meanwhile.
    for at in 0 ..< members.len:
      await members[at].send(line & "\r\n")
  client.close()

proc handle(client: AsyncSocket, mode: string) {.async.} =
  # A client that breaks off is the load generator's business.
  try:
    case mode
    of "count": await client.count()
    of "echo": await client.echo()
    else: await client.chat()
  except CatchableError:
    discard

proc serve(mode: string, port: int) {.async.} =
  let server = newAsyncSocket()
  server.setSockOpt(OptReuseAddr, true)
  server.bindAddr(Port(port), "127.0.0.1")
  server.listen(4096)
  stdout.writeLine "listening on 127.0.0.1:", server.getLocalAddr()[1].int
  stdout.flushFile()
  while true:
    let client = await server.accept()
    client.getFd().setSockOptInt(6, 1, 1) # TCP_NODELAY
    asyncCheck client.handle(mode)

asyncCheck serve(paramStr(1), parseInt(paramStr(2)))
asyncCheck (proc () {.async.} =
  await sleepAsync(60_000)
  quit 0)()
runForever()
