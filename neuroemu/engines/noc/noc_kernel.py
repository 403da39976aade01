# mypy: disallow-untyped-decorators=False
"""The network-on-chip's event queue as a Numba kernel; ``noc_twin`` compiles it and says what its records hold.

A link is in the queue at most once, with the instant it will grant at: its release, a slot beyond and the first eligible
head of line are all known ahead, as every decision takes effect later than it is made. So a link taken from the queue
grants, and simultaneous links may come in any order. FAR stands for an instant not known yet.
"""

from typing import Any, NamedTuple

from numba import njit

FAR = 1 << 62
STAGE = {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "boundscheck": False}


class NocState(NamedTuple):
    """Everything a tick needs and leaves behind: arrays of records, integer arrays, and the mesh's constants."""

    links: Any
    inputs: Any
    packets: Any
    sources: Any
    sinks: Any
    """(n_cores,) end of the last service."""
    slots: Any
    """Instants from which the slots of the FIFOs behind the links are free, a ring for each link."""
    way: Any
    """(n_tiles, n_cores) link by which a packet leaves."""
    queue: Any
    """Binary heap of time << shift | link from entry 1 on; entry 0 holds its size. A tick of hours still fits 63 bits."""
    place: Any
    """(n_links,) a link's entry in the queue, 0 if it has none."""
    shift: int
    n_ports: int
    inject: int
    inject_fifo: int
    credit: int
    blocked: int
    """Core whose sink takes nothing in, -1 for none."""


# ---- the queue
@njit(**STAGE)
def rise(s: Any, at: Any, entry: Any) -> None:
    """Put an entry at a free place of the queue, or above it."""
    mask = (1 << s.shift) - 1
    while at > 1 and s.queue[at >> 1] > entry:
        s.queue[at] = s.queue[at >> 1]
        s.place[s.queue[at] & mask] = at
        at >>= 1
    s.queue[at] = entry
    s.place[entry & mask] = at


@njit(**STAGE)
def take(s: Any) -> Any:
    """Take the earliest entry out of the queue."""
    mask = (1 << s.shift) - 1
    first, size = s.queue[1], s.queue[0] - 1
    entry = s.queue[size + 1]
    s.queue[0] = size
    at, below = 1, 2
    while below <= size:
        if below < size and s.queue[below + 1] < s.queue[below]:
            below += 1
        if s.queue[below] >= entry:
            break
        s.queue[at] = s.queue[below]
        s.place[s.queue[at] & mask] = at
        at, below = below, 2 * below
    s.queue[at] = entry
    s.place[entry & mask] = at
    s.place[first & mask] = 0
    return first


# ---- which head of line, and when
@njit(**STAGE)
def earliest(s: Any, number: Any) -> Any:
    """When the first of the heads of line that want a link is eligible; FAR if none does."""
    first, i = FAR, s.links[number].wanting
    while i >= 0:
        first = min(first, s.inputs[i].eligible)
        i = s.inputs[i].also
    return first


@njit(**STAGE)
def choose(s: Any, number: Any, time: Any) -> Any:
    """Round robin: take the first input with an eligible head of line after the one granted last off the link's list."""
    link = s.links[number]
    best, least, before, ahead, i = -1, s.n_ports, -1, -1, link.wanting
    while i >= 0:
        turn = i - link.last - 1
        turn += s.n_ports if turn < 0 else 0
        if turn < least and s.inputs[i].eligible <= time:
            best, least, before = i, turn, ahead
        ahead, i = i, s.inputs[i].also
    if before < 0:
        link.wanting = s.inputs[best].also
    else:
        s.inputs[before].also = s.inputs[best].also
    return best


@njit(**STAGE)
def arm(s: Any, number: Any, eligible: Any) -> None:
    """A head of line wants the link from ``eligible`` on: queue the link for when it can grant, if a slot is in sight."""
    link = s.links[number]
    time = max(eligible, link.free, s.slots[link.slot])
    if time < FAR:
        entry, at = time << s.shift | number, s.place[number]
        if at == 0:
            s.queue[0] += 1
            rise(s, s.queue[0], entry)
        elif entry < s.queue[at]:
            rise(s, at, entry)


# ---- a packet's way
@njit(**STAGE)
def offer(s: Any, number: Any) -> None:
    """An input has a new head of line."""
    fifo = s.inputs[number]
    packet = s.packets[fifo.first]
    wants = s.way[fifo.tile, packet.target]
    fifo.eligible = max(packet.head, fifo.free)
    fifo.also = s.links[wants].wanting
    s.links[wants].wanting = number
    arm(s, wants, fifo.eligible)


@njit(**STAGE)
def enter(s: Any, number: Any, k: Any) -> None:
    """Packet k, on its way to an input, takes its place in the FIFO."""
    fifo = s.inputs[number]
    s.packets[k].behind = -1
    if fifo.first < 0:
        fifo.first = k
        fifo.last = k
        offer(s, number)
    else:
        s.packets[fifo.last].behind = k
        fifo.last = k


@njit(**STAGE)
def push(s: Any, number: Any, slot_free: Any) -> None:
    """A source sends its next packet as soon as it is ready and has a slot."""
    source = s.sources[number]
    k = source.next
    packet = s.packets[k]
    packet.push = max(source.ready, slot_free)
    source.stall += packet.push - source.ready
    packet.head = packet.push + s.inject
    packet.tail = packet.head
    source.next = k + 1
    source.ready = packet.push + (s.packets[k + 1].work if k + 1 < source.stop else source.tail)
    enter(s, source.input, k)


@njit(**STAGE)
def leave(s: Any, number: Any, tail: Any) -> None:
    """An input's head of line goes; whoever feeds the input has the slot from tail + credit on."""
    fifo = s.inputs[number]
    fifo.first = s.packets[fifo.first].behind
    fifo.free = tail
    if fifo.first >= 0:
        offer(s, number)
    if fifo.source >= 0:
        if s.sources[fifo.source].next < s.sources[fifo.source].stop:
            push(s, fifo.source, tail + s.credit)
        return
    slot, link = fifo.slot, s.links[fifo.up]
    s.slots[slot] = tail + s.credit
    fifo.slot = slot + 1 if slot + 1 < link.high_slot else link.low_slot
    if slot == link.slot and link.wanting >= 0:
        arm(s, fifo.up, earliest(s, fifo.up))


@njit(**STAGE)
def serve(s: Any, core: Any, k: Any, slot: Any) -> Any:
    """The sink takes packet k in when it is there whole and the one before is done; 0 if the sink is blocked."""
    if core == s.blocked:
        return 0
    packet = s.packets[k]
    packet.start = max(packet.tail, s.sinks[core])
    packet.done = packet.start + packet.service
    s.sinks[core] = packet.done
    s.slots[slot] = packet.start + s.credit
    return 1


@njit(**STAGE)
def grant(s: Any, number: Any, time: Any) -> Any:
    """A link takes a head of line; 1 if that delivers it."""
    link, delivered, first = s.links[number], 0, earliest(s, number)
    i = choose(s, number, time)
    k = s.inputs[i].first
    packet = s.packets[k]
    tail = max(time + packet.flits * link.flit, packet.tail)
    link.n += 1
    link.busy += tail - time
    link.wait += time - packet.head
    link.stall += time - max(link.free, first)
    link.free = tail
    link.last = i
    slot = link.slot
    s.slots[slot] = FAR
    link.slot = slot + 1 if slot + 1 < link.high_slot else link.low_slot
    leave(s, i, tail)
    packet.head = time + link.hop
    packet.tail = tail + link.hop
    if link.down >= 0:
        enter(s, link.down, k)
    else:
        delivered = serve(s, link.core, k, slot)
    if link.wanting >= 0:
        arm(s, number, earliest(s, number))
    return delivered


# ---- the tick
@njit(**STAGE)
def begin(s: Any) -> None:
    """Everything initial, round-robin pointers included."""
    s.queue[0] = 0
    s.place[:] = 0
    s.sinks[:] = 0
    s.slots[:] = 0
    for number in range(s.links.size):
        link, fifo = s.links[number], s.inputs[number]
        link.free = link.n = link.busy = link.wait = link.stall = 0
        link.wanting = -1
        link.slot = link.low_slot
        link.last = link.low_port + s.n_ports - 1
        fifo.free = 0
        fifo.first = fifo.last = -1
        fifo.slot = s.links[fifo.up].low_slot


@njit(nogil=True, boundscheck=False, error_model="numpy")
def tick(s: Any) -> Any:
    """Time the packets; returns how many were delivered."""
    begin(s)
    for number in range(s.sources.size):
        source = s.sources[number]
        source.stall = 0
        source.ready = s.packets[source.next].work if source.next < source.stop else source.tail
        for _ in range(min(s.inject_fifo, source.stop - source.next)):
            push(s, number, 0)
    delivered, mask = 0, (1 << s.shift) - 1
    while s.queue[0] > 0:
        entry = take(s)
        delivered += grant(s, entry & mask, entry >> s.shift)
    return delivered
