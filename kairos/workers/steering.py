"""Steer new connections to the slots that have a worker, by small programs that the kernel runs for each of them."""

import ctypes
import socket
from collections.abc import Sequence
from struct import pack

# From linux/socket.h; the socket module lacks them.
SO_ATTACH_FILTER = 26
SO_ATTACH_REUSEPORT_CBPF = 51

# Classic BPF, from linux/bpf_common.h and linux/filter.h: (code, jump if true, jump if false, operand).
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_MODULO = 0x94  # BPF_ALU | BPF_MOD | BPF_K
_JUMP_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_LOAD_BYTE = 0x30  # BPF_LD | BPF_B | BPF_ABS
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
_RANDOM = (
    0xFFFFF000 + 56
)  # SKF_AD_OFF + SKF_AD_RANDOM; not the hash of the flow, which is zero where the card gives none

_FLAGS, _SYN, _ACK = 13, 0x02, 0x10  # where a TCP header has its flags (RFC 9293 section 3.1), and two of them

Instruction = tuple[int, int, int, int]


def program(live: Sequence[int]) -> list[Instruction]:
    """Build the program that returns one of the slots in `live`, each as likely as the other."""
    if not live:
        raise ValueError("there is no slot to steer to")
    if len(set(live)) == 1:
        return [(_RETURN, 0, 0, live[0])]
    choices = [
        instruction
        for index, slot in enumerate(live[:-1])
        for instruction in ((_JUMP_IF_EQUAL, 0, 1, index), (_RETURN, 0, 0, slot))
    ]
    return [(_LOAD, 0, 0, _RANDOM), (_MODULO, 0, 0, len(live)), *choices, (_RETURN, 0, 0, live[-1])]


def steer(group: Sequence[socket.socket], live: Sequence[int]) -> None:
    """Send new connections of a SO_REUSEPORT group to the sockets in `live`; if there are none, to all of them.

    Connections that are already in a queue stay there. OSError if the kernel cannot do it.
    """
    _attach(group[0], SO_ATTACH_REUSEPORT_CBPF, program(live or range(len(group))))


def turn_away(sock: socket.socket) -> None:
    """Let a listening socket take no new connection, before it is closed for good.

    Whoever accepts all that wait and then closes would reset those that come in between. The first packet of a new
    connection is dropped instead: the client sends it again, and by then is told that nobody listens. OSError if the
    kernel cannot do it.
    """
    is_first_packet = [(_LOAD_BYTE, 0, 0, _FLAGS), (_AND, 0, 0, _SYN | _ACK), (_JUMP_IF_EQUAL, 0, 1, _SYN)]
    _attach(sock, SO_ATTACH_FILTER, [*is_first_packet, (_RETURN, 0, 0, 0), (_RETURN, 0, 0, 0xFFFFFFFF)])


def _attach(sock: socket.socket, option: int, instructions: Sequence[Instruction]) -> None:
    """Hand a program to the kernel, which copies it."""
    code = ctypes.create_string_buffer(b"".join(pack("=HBBI", *instruction) for instruction in instructions))
    sock.setsockopt(socket.SOL_SOCKET, option, pack("@HP", len(instructions), ctypes.addressof(code)))
