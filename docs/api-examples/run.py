"""Tells Slipway of a deployment in Python, standard library only.

Needs SLIPWAY_URL (like https://slipway.example.com) and SLIPWAY_TOKEN (scope ingest).
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any


class Run:
    """One run. Every request may be repeated: what is sent twice is stored once, by its number."""

    def __init__(self, key: str, stack: str, tool: str = "other", **more: str) -> None:
        self.seq = 0
        self.path = "runs/" + self._post("runs", {"key": key, "stack": stack, "tool": tool, **more})["run"]

    def plan(self, *steps: dict[str, str]) -> None:
        """Tell what is planned: dicts of address, action, resourceType."""
        self._post(self.path + "/steps", {"seq": self.seq, "steps": steps})
        self.seq += len(steps)

    def say(self, type: str, **more: str) -> None:
        """Tell that a step started, made progress, is done or failed, or log a line."""
        event = {"type": type, "at": time.time_ns() // 1_000_000, **more}
        self._post(self.path + "/events", {"seq": self.seq, "events": [event]})
        self.seq += 1

    def end(self, outcome: str) -> None:
        """End it: succeeded, failed or cancelled."""
        self._post(self.path + "/end", {"outcome": outcome})

    def _post(self, path: str, body: Any, attempts: int = 5) -> Any:
        request = urllib.request.Request(
            f"{os.environ['SLIPWAY_URL']}/api/v1/{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {os.environ['SLIPWAY_TOKEN']}", "Content-Type": "application/json"},
        )
        for attempt in range(attempts):
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    # The body names each faulty field.
                    sys.exit(f"Slipway refused: {error.read().decode()}")
            except OSError:
                if attempt == attempts - 1:
                    raise
            time.sleep(2**attempt)
        sys.exit("Slipway does not answer.")


if __name__ == "__main__":
    shop = {"address": "web.shop", "action": "create"}
    run = Run(key=os.environ.get("RUN_KEY", f"deploy-{time.time_ns()}"), stack="prod", tool="deploy.py")
    run.plan({**shop, "resourceType": "webService"})
    run.say("started", **shop)
    run.say("log", message="Uploading 14 files")
    run.say("done", **shop, productionUrl="https://shop.example.com")
    run.end("succeeded")
