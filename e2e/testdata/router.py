"""The upstream's own server and routes, in which every handler says its name instead of working.

The server that reads the request line, the middleware and the routing are those of the upstream that is tested; only the last
step is replaced. So every operation can be asked for by name, without effects, as often as one likes.

Usage: router.py PORTFILE
"""

import json
import os
import socket
import sys
from urllib.parse import parse_qsl
from uuid import UUID

import pydantic
import uvicorn
from fastapi import routing
from openhands.agent_server.api import create_app
from openhands.agent_server.config import Config
from starlette import routing as base

IDENTITY = pydantic.TypeAdapter(UUID)


def plain(name, value):
    """The value of a path parameter; ids in one form, as far as the upstream would take them for one."""
    if name.endswith("conversation_id"):
        try:
            return str(IDENTITY.validate_python(value))
        except pydantic.ValidationError:
            pass
    return str(value)


def description(scope, method, path):
    query = scope["query_string"].decode("latin-1")
    return json.dumps({
        "operation": f"{method} {path}",
        "parameters": {name: plain(name, value) for name, value in scope["path_params"].items()},
        "query": parse_qsl(query, keep_blank_values=True),
    })


async def say(scope, send, path):
    body = description(scope, scope["method"], path).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def say_socket(scope, receive, send, path):
    await receive()
    said = description(scope, "WS", path).encode()
    await send({"type": "websocket.accept", "headers": [(b"x-operation", said)]})
    await send({"type": "websocket.close", "code": 1000})


def replace(cls, path_of):
    work = cls.handle

    async def handle(self, scope, receive, send):
        methods, path = path_of(self, scope)
        if scope["type"] == "websocket":
            await say_socket(scope, receive, send, path)
        elif methods and scope["method"] not in methods:
            await work(self, scope, receive, send)
        else:
            await say(scope, send, path)

    cls.handle = handle


def included(route, scope):
    """An API route stands behind the prefixes of the routers that include it."""
    context = routing._get_scope_effective_route_context(scope)
    if context is not None and context.original_route is route:
        return context.methods, context.path_format
    return route.methods, route.path_format


def main():
    replace(base.Route, lambda route, _: (route.methods, route.path))
    replace(base.WebSocketRoute, lambda route, _: (None, route.path))
    replace(routing.APIRoute, included)
    app = create_app(Config(session_api_keys=["any"]))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body are two writes
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="wsproto", log_config=None, access_log=False))
    part = sys.argv[1] + ".part"
    with open(part, "w", encoding="utf-8") as file:
        file.write(str(listener.getsockname()[1]))
    os.rename(part, sys.argv[1])
    server.run(sockets=[listener])


main()
