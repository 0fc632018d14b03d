"""Drive a headless Chromium by its debugging protocol: open a page, look at it, click, give it files, take pictures."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--no-first-run"),
)


class Browser:
    """One page of a Chromium that is closed with the `with` block."""

    def __enter__(self) -> Browser:
        self.profile = tempfile.mkdtemp(prefix="yolo-cot-browser-")
        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert self.process.stderr is not None
        address = next(m for line in self.process.stderr if (m := re.search(r"ws://([\d.:]+)/", line)))[1]
        pages = json.load(urllib.request.urlopen(f"http://{address}/json/list"))
        self.loop = asyncio.new_event_loop()
        self.socket = self.loop.run_until_complete(_connect(next(p for p in pages if p["type"] == "page")))
        self.number = 0
        for domain in ("Page", "Runtime", "DOM"):
            self.send(f"{domain}.enable")
        return self

    def __exit__(self, *error: Any) -> None:
        self.socket.close()
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self.loop.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; events in between are dropped."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        return self.loop.run_until_complete(asyncio.wait_for(self._answer(message), 120))

    async def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        await self.socket.write_message(json.dumps(message))
        while True:
            answer = json.loads(await self.socket.read_message())
            if answer.get("id") == message["id"]:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def open(self, address: str, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Open a page at a size of window and in a colour scheme."""
        mobile = width < 600
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=address)

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        done = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.value(expression):
            said = self.value("document.body.innerText")
            assert time.monotonic() < end, f"{expression} did not become true; the page says: {said}"
            time.sleep(0.1)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def give_file(self, selector: str, file: Path) -> None:
        """Choose a file in an input."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def picture(self, file: Path) -> None:
        """Write what the window shows."""
        file.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


async def _connect(page: dict[str, Any]) -> Any:
    from tornado.websocket import websocket_connect

    return await websocket_connect(page["webSocketDebuggerUrl"], max_message_size=1 << 28)
