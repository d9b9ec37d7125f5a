/** Bare RPC of Effect, as it comes: over sockets of its own platform, written as its cluster writes. */
import { NodeSocket, NodeSocketServer } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket"

const Echo = RpcGroup.make(Rpc.make("Echo", { payload: { frame: Schema.String }, success: Schema.String }))

/** Serves it; gives the port. */
export const served = Effect.gen(function*() {
  const server = yield* Layer.build(NodeSocketServer.layer({ host: "127.0.0.1", port: 0 }))
  yield* Layer.build(
    RpcServer.layer(Echo).pipe(
      Layer.provide(Echo.toLayer({ Echo: ({ frame }) => Effect.succeed(frame) })),
      // of a machine's engine there is one already, which would be taken
      Layer.provide(Layer.fresh(RpcServer.layerProtocolSocketServer)),
      Layer.provide(RpcSerialization.layerSchemaBinary({})),
      Layer.provide(Layer.succeedContext(server))
    )
  )
  const { address } = yield* Effect.provide(SocketServer.SocketServer, server)
  return address as { readonly port: number }
})

/** A client of it: gives what asks. */
export const client = (port: number) =>
  Effect.gen(function*() {
    const protocol = yield* Layer.build(
      RpcClient.layerProtocolSocket().pipe(
        Layer.provide(NodeSocket.layerNet({ host: "127.0.0.1", port })),
        Layer.provide(RpcSerialization.layerSchemaBinary({}))
      )
    )
    const made = yield* Effect.provide(RpcClient.make(Echo), protocol)
    return (frame: string) => made.Echo({ frame })
  })
