"""QEMU's monitor protocol (docs/interop/qmp-spec.txt) over a socket that is a QEMU's standard input: commands and events,
one a line."""
import json
import socket
from collections import deque
from collections.abc import Mapping
from typing import Any

from lab.errors import LabError


PATIENCE = 120  # seconds; what is asked for here takes none


class Refused(LabError):
    """QEMU does not do what it was asked for."""


FLAGS = ("-chardev", "socket,id=qmp,fd=0", "-mon", "chardev=qmp,mode=control")


class Monitor:
    """The monitor of a QEMU that was started with FLAGS and with the other end of this socket for its standard input."""

    def __init__(self, own_end: socket.socket) -> None:
        own_end.settimeout(PATIENCE)
        self.stream = own_end.makefile("rwb")
        self.events: deque[dict[str, Any]] = deque()
        self.read()  # the greeting
        self.command("qmp_capabilities")

    def read(self) -> dict[str, Any]:
        """The next message. LabError once QEMU has ended."""
        try:
            line = self.stream.readline()
        except ConnectionResetError:
            line = b""
        except TimeoutError:
            raise LabError(f"QEMU did not answer within {PATIENCE} s") from None
        if not line:
            raise LabError("QEMU ended unexpectedly")
        message: dict[str, Any] = json.loads(line)  # its fields are of any shape: QEMU's own
        return message

    def command(self, name: str, **arguments: object) -> object:
        """What the command returns. Refused where QEMU refuses it, LabError where it is gone."""
        try:
            self.stream.write(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
            self.stream.flush()
        except (BrokenPipeError, ConnectionResetError):
            raise LabError("QEMU ended unexpectedly") from None
        while True:
            message = self.read()
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise Refused(f"QEMU: {name}: {message['error']['desc']}")
            else:
                return message["return"]

    def event(self, name: str) -> Mapping[str, object]:
        """The data of the next event of that name; others are passed over."""
        while True:
            message = self.events.popleft() if self.events else self.read()
            if message.get("event") == name:
                data: Mapping[str, object] = message.get("data", {})
                return data

    def migrated(self) -> None:
        """Waits for a migration to end. LabError where it fails. Needs the capability `events`."""
        while (status := self.event("MIGRATION")["status"]) != "completed":
            if status == "failed":
                raise LabError("QEMU: the machine could not be saved or restored")
