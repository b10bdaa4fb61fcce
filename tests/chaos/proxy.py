# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that loses replies and cuts the line, for both ends of a partition at once."""

import asyncio
import contextlib
import random
import threading
from typing import Final

_CHUNK: Final = 64 * 1024


class Proxy:
    """Stands between callers and ``upstream`` on a thread of its own.

    Attributes:
        url: where callers go instead.
        open: False cuts every line and refuses new ones.
        loss: share of replies that are lost, the line with them; the request has arrived.
        lost: replies lost so far.
    """

    def __init__(self, upstream: tuple[str, int], seed: int) -> None:
        self.open = True
        self.loss = 0.0
        self.lost = 0
        self._upstream: Final = upstream
        self._random: Final = random.Random(seed)
        self._lines: Final[set[asyncio.StreamWriter]] = set()
        self._loop: Final = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url: Final = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._thread: Final = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Cut every line until :meth:`heal`."""
        self.open = False
        self._loop.call_soon_threadsafe(self._drop_all)

    def heal(self) -> None:
        """Let everything through again."""
        self.open, self.loss = True, 0.0

    def close(self) -> None:
        """Stop for good."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        self._drop_all()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _drop_all(self) -> None:
        for line in list(self._lines):
            line.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.transport.abort()
            return
        self._lines.update((writer, back))
        try:
            await asyncio.gather(self._pump(reader, back, reply=False), self._pump(there, writer, reply=True))
        finally:
            for line in (writer, back):
                self._lines.discard(line)
                line.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, reply: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                if reply and self.loss and self._random.random() < self.loss:
                    self.lost += 1
                    break
                target.write(data)
                await target.drain()
        target.transport.abort()
