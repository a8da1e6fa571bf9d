"""A camera with an RTSP address (RFC 2326), as far as one viewer over one connection needs it.

H.264 goes as RFC 6184 says, a packet for each unit, within the connection of the commands.
"""

import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av

CLOCK = 90_000  # ticks a second, of H.264 in RTP
PAYLOAD_TYPE = 96
LAST_OF_FRAME = 0x80
SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
    f"m=video 0 RTP/AVP {PAYLOAD_TYPE}\r\na=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK}\r\n"
    f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1\r\na=control:track\r\n"
)
ANSWERS = {
    "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n",
    "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}",
    "SETUP": "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n",
    "PLAY": "Session: 1\r\n\r\n",
    "TEARDOWN": "Session: 1\r\n\r\n",
}


def film(server: socket.socket, clip: Path) -> list[str]:
    """Answer one viewer, show the H.264 of an MPEG-TS clip, and hang up; returns the commands."""
    connection, _ = server.accept()
    commands = list[str]()
    with connection, connection.makefile("rb") as lines:
        while request := _request(lines):
            command, number = request
            commands.append(command)
            head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n"
            connection.sendall((head + ANSWERS[command]).encode())
            if command == "PLAY":
                for packet in rtp_packets(clip):
                    connection.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)
                break
    return commands


def _request(lines: BinaryIO) -> tuple[str, str] | None:
    """A command and its number, of which the head is read; None when the viewer has gone."""
    command, number = "", ""
    while line := lines.readline().decode().strip():
        command = command or line.split()[0]
        if found := re.match(r"CSeq: *(\d+)", line, re.IGNORECASE):
            number = found[1]
    return (command, number) if command else None


def rtp_packets(clip: Path) -> Iterator[bytes]:
    """The units of H.264 in their order, with heads that tell place and time."""
    place = 0
    with av.open(str(clip)) as container:
        for packet in container.demux(video=0):
            units = [unit for unit in re.split(b"\0\0\0?\1", bytes(packet)) if unit]
            for unit in units:
                mark = LAST_OF_FRAME if unit is units[-1] else 0
                ticks = round(packet.pts * packet.time_base * CLOCK)
                yield struct.pack(">BBHII", 0x80, mark | PAYLOAD_TYPE, place, ticks, 1) + unit
                place += 1
